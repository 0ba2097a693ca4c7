"""The workers of this process: few, started when first needed, shared by every thread and event loop.

HTML and PDF have workers of their own, because a process that has loaded both parsers has less memory
left for the page. The waiting is done in a handful of threads, so that no event loop blocks and no
loop owns a worker.
"""

import asyncio
import atexit
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fusion_tool.extraction.process import Worker
from fusion_tool.extraction.result import Extracted

_SIZES = {"html": 2, "pdf": 1}


class _Call:
    """One job; it knows the worker at work on it, so that a cancelled caller stops it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._cancelled = False

    def hand_to(self, worker: Worker | None) -> None:
        with self._lock:
            self._worker = worker
            if worker is not None and self._cancelled:
                worker.kill()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            if self._worker is not None:
                self._worker.kill()


class _Lane:
    """The workers for one kind of body, each used by one thread at a time."""

    def __init__(self, size: int) -> None:
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="fusion-extraction")
        self._idle: list[Worker] = []

    async def ask(self, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        call = _Call()
        future = self._threads.submit(self._run, call, job, data)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            call.cancel()
            raise

    def _run(self, call: _Call, job: dict[str, Any], data: bytes | memoryview) -> Extracted:
        worker = self._take()
        call.hand_to(worker)
        try:
            return worker.ask(job, data)
        finally:
            call.hand_to(None)
            if worker.worn:
                worker.close()
            else:
                self._idle.append(worker)

    def _take(self) -> Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive:
                return worker
            worker.close()
        return Worker()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> None:
        for worker in self._idle:
            worker.forget()


_lanes: dict[str, _Lane] = {}


async def ask(job: dict[str, Any], data: bytes | memoryview) -> Extracted:
    """Have a worker do `job`: `kind`, `charset`, `url` and `timeout` in seconds of work.

    Raises:
        ExtractionFailed: No text came of it.
    """
    kind = job["kind"]
    lane = _lanes.get(kind) or _lanes.setdefault(kind, _Lane(_SIZES[kind]))
    return await lane.ask(job, data)


@atexit.register
def _close() -> None:
    for lane in _lanes.values():
        lane.close()


def _forget() -> None:
    for lane in _lanes.values():
        lane.forget()
    _lanes.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
