"""Working for a client only as long as it is there."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.types import Receive


class Gone(Exception):  # noqa: N818 - it is news, not an error
    """The client has closed its connection."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`; cancel it, and wait for its end, where the client leaves or the caller is cancelled.

    Args:
        receive: ASGI's, after the request's body was read.
        work: What the client waits for.

    Raises:
        Gone: The client left.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        left = not working.done()
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
    if left:
        raise Gone
    working.result()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
