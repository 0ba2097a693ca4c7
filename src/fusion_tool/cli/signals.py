"""An event loop for one command, which Ctrl-C and SIGTERM cancel."""

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
        InterruptError: A signal came, and the work has ended.
        KeyboardInterrupt: The same on Windows, where a loop takes no signal handlers.
    """
    return asyncio.run(_run_with_handlers(work))


async def _run_with_handlers(work: Coroutine[Any, Any, T]) -> T:
    loop, task, signals = asyncio.get_running_loop(), asyncio.ensure_future(work), list[int]()

    def stop(number: int) -> None:
        signals.append(number)
        loop.remove_signal_handler(number)
        # The default again, by which a second signal ends a process whose cleanup hangs.
        signal.signal(number, signal.SIG_DFL)
        task.cancel()

    # By the loop, not by `signal.signal`, whose handler would raise in the middle of any line, cleanup's too.
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, ValueError, RuntimeError):  # Windows; not in the main thread
            loop.add_signal_handler(number, stop, number)
    try:
        return await task
    except asyncio.CancelledError:
        # Without a signal the work was cancelled from inside, which is not the user's doing.
        if signals:
            raise InterruptError(signals[0]) from None
        raise
