"""A connection whose statements end soon after their task is cancelled, whether the server answers or not."""

import asyncio
from collections.abc import Generator
from typing import Any, TypeVar

from psycopg import AsyncConnection

T = TypeVar("T")

_SECONDS = 0.5
"""In which a server that is asked to break off a statement does so, if it answers at all."""


class InterruptibleConnection(AsyncConnection[dict[str, Any]]):
    """psycopg's connection, which asks the server to break off a cancelled statement, but waits ten seconds for it."""

    async def wait(self, gen: Generator[Any, Any, T], *args: Any, **kwargs: Any) -> T:
        """Wait for a statement, as psycopg's does; after a cancellation a silent server loses the connection."""
        statement = asyncio.ensure_future(super().wait(gen, *args, **kwargs))
        try:
            return await asyncio.shield(statement)
        except asyncio.CancelledError:
            statement.cancel()
            await asyncio.wait([statement], timeout=_SECONDS)
            if not statement.done():
                statement.cancel()
                await asyncio.wait([statement])
                await self.close()
            if not statement.cancelled():
                statement.exception()  # else told as never retrieved
            raise
