"""An event loop whose clock jumps to the next timer, so that ten seconds of waiting take no time."""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Where nothing is ready, the time until the next timer passes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None or timeout <= 0:  # something else than a timer is waited for, or nothing is
            return super().select(timeout)
        ready = super().select(0)
        if not ready:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is what its timers say."""

    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._clock.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`; `time.monotonic`, by which deadlines are kept, tells the loop's time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner, patch.object(time, "monotonic", runner.get_loop().time):
        return runner.run(work)
