"""Running until done, or until Ctrl-C or SIGTERM cancels."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from fusion_tool.cli.errors import InterruptError

T = TypeVar("T")


def run_until_signal(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on a loop of its own.

    The first signal cancels it, so that every request in flight is closed; a second one ends the process.

    Raises:
        Interrupted: A signal came, and the work has ended.
        KeyboardInterrupt: The same on Windows, where a loop takes no signal handlers.
    """
    return asyncio.run(_run_watched(work))


async def _run_watched(work: Coroutine[Any, Any, T]) -> T:
    loop, task, caught = asyncio.get_running_loop(), asyncio.ensure_future(work), list[int]()

    def stop(number: int) -> None:
        caught.append(number)
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_DFL)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not in the main thread
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        if caught:
            raise InterruptError(caught[0]) from None
        raise
