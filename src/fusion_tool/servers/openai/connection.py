"""Work that ends where its client leaves."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.types import Receive


class ClientGoneError(Exception):
    """The client has closed its connection."""


async def while_connected(receive: Receive, work: Coroutine[Any, Any, None], *, on_leave: Callable[[], None]) -> None:
    """Do `work`; cancel it, and wait for its end, where the client leaves or the caller is cancelled.

    Args:
        receive: ASGI's function, after the request's body was read.
        work: The work that the client waits for.
        on_leave: Called where the client leaves, before the work is cancelled.

    Raises:
        ClientGoneError: The client left before the work had ended.
    """
    work_task, disconnect = asyncio.ensure_future(work), asyncio.ensure_future(_wait_for_disconnect(receive))
    try:
        await asyncio.wait((work_task, disconnect), return_when=asyncio.FIRST_COMPLETED)
        # Asked before the cancellation, which ends both; where both ended at once the answer is out.
        has_left = not work_task.done()
        if has_left:
            on_leave()
    finally:
        for task in (work_task, disconnect):
            task.cancel()
        # Both are waited for: a run that is still ending holds its place.
        await asyncio.gather(work_task, disconnect, return_exceptions=True)
    if has_left:
        raise ClientGoneError
    work_task.result()


async def _wait_for_disconnect(receive: Receive) -> None:
    # Once the body is read ASGI has only the end of the connection to tell, and tells it to whoever waits for it.
    while (await receive())["type"] != "http.disconnect":
        pass
