"""Turns at the servers of local models: each works for one seat at a time, and runs side by side take turns at it.

Without them a seat's time would run while its calls wait in the server, and a run that asks much would hold up all
others. A seat keeps its turn through all its calls: another one's in between would throw its prompt out of the
server's cache.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from pathlib import Path

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.faults import Fault
from fusion_tool.models.local.catalog import model_of


class TurnQueue:
    """The queue at one server; its waiters may be in several threads and event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: str | None = None
        # By run, those next in turn first; each run's waiters in the order in which they came.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, run_id: str, seconds: float) -> AsyncIterator[None]:
        """Wait for a turn, and hold it while the context is open.

        Args:
            run_id: The run whose turn it is; runs get theirs in rotation.
            seconds: How long it may wait.

        Raises:
            ModelCallError: Its turn did not come in that time.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._wait(run_id)
        except TimeoutError as error:
            raise ModelCallError(Fault("timeout", "its server was busy for others until its time was over")) from error
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, run_id: str) -> None:
        mine = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._holder is None:
                self._holder = run_id
                return
            self._waiting.setdefault(run_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            # Where it is not in the queue any more the turn was just passed on to it, and must not be lost.
            if not self._withdraw(run_id, mine):
                self._pass_on()
            raise

    def _withdraw(self, run_id: str, mine: "asyncio.Future[None]") -> bool:
        with self._lock:
            queue = self._waiting.get(run_id, deque())
            if mine not in queue:
                return False
            queue.remove(mine)
            if not queue:
                del self._waiting[run_id]
            return True

    def _pass_on(self) -> None:
        while (waiter := self._next()) is not None:
            with suppress(RuntimeError):  # its loop has ended with it
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)
                return

    def _next(self) -> "asyncio.Future[None] | None":
        with self._lock:
            if self._holder in self._waiting:  # behind the other runs
                self._waiting[self._holder] = self._waiting.pop(self._holder)
            self._holder = next(iter(self._waiting), None)
            if self._holder is None:
                return None
            queue = self._waiting[self._holder]
            waiter = queue.popleft()
            if not queue:
                del self._waiting[self._holder]
            return waiter


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():  # else it was cancelled meanwhile, and passes its turn on itself
        waiter.set_result(None)


_queues: dict[Path, TurnQueue] = {}
_lock = threading.Lock()
_NO_TURN = nullcontext()


def server_turn(panelist: Panelist, run_id: str, *, seconds: float) -> AbstractAsyncContextManager[None]:
    """Return a context that holds a turn at the server of the panelist's local model; other models need none.

    Args:
        panelist: Who is going to be called.
        run_id: The run that calls.
        seconds: How long it may wait; the context raises a `ModelCallError` after that.
    """
    model = model_of(panelist)
    if model is None:
        return _NO_TURN
    with _lock:
        return _queues.setdefault(model.path, TurnQueue()).turn(run_id, seconds)
