"""One refresh of an index at a time; the others wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

from fusion_tool.lock import acquired

_POLL_SECONDS = 0.02


@asynccontextmanager
async def exclusively(path: Path) -> AsyncIterator[None]:
    """Hold the lock at `path`; waits as long as somebody else does, and can be cancelled meanwhile."""
    while (connection := await asyncio.to_thread(acquired, path)) is None:  # noqa: ASYNC110 - no event crosses processes
        await asyncio.sleep(_POLL_SECONDS)
    with closing(connection):
        yield
