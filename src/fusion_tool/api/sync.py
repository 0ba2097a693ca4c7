"""The one background event loop on which all synchronous faces run.

They work in notebooks, from threads and many times over, because no caller's loop is ever entered.
"""

import asyncio
import contextvars
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import aclosing
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
_owner = 0


def run_sync(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the background loop and wait for it, with the caller's context variables.

    KeyboardInterrupt in the waiting thread cancels the work before it is raised on.
    """
    outcome, cancel = _start(work)
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():
            cancel()
        raise


def iterate_sync(work: AsyncGenerator[T, None]) -> Iterator[T]:
    """Yield the items of `work`, which runs on the background loop, each as soon as it is there.

    Closing the iterator, or KeyboardInterrupt in the thread that waits for an item, cancels the work.
    """
    items: SimpleQueue[T | None] = SimpleQueue()

    async def pump() -> None:
        try:
            async with aclosing(work):
                async for item in work:
                    items.put(item)
        finally:
            items.put(None)  # also after a failure: the thread that waits would wait for ever

    outcome, cancel = _start(pump())
    try:
        while (item := items.get()) is not None:
            yield item
        outcome.result()  # raises what ended the work
    finally:
        if not outcome.done():
            cancel()


def _start(work: Coroutine[Any, Any, T]) -> "tuple[Future[T], Callable[[], object]]":
    """Start `work` with the caller's context variables; return its future and a function that cancels it."""
    outcome: Future[T] = Future()
    started: list[asyncio.Task[T]] = []
    # `run_coroutine_threadsafe` would run it in the loop's context, without the caller's tracers.
    context = contextvars.copy_context()
    loop = _background_loop()

    def start() -> None:
        task = loop.create_task(work, context=context)
        started.append(task)
        task.add_done_callback(lambda finished_task: _hand_over(finished_task, outcome))

    loop.call_soon_threadsafe(start)
    return outcome, lambda: loop.call_soon_threadsafe(lambda: [task.cancel() for task in started])


def _hand_over(task: "asyncio.Task[T]", outcome: "Future[T]") -> None:
    if task.cancelled():
        outcome.cancel()
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


def _background_loop() -> asyncio.AbstractEventLoop:
    global _loop, _owner
    with _lock:
        if _loop is None or _owner != os.getpid():  # a forked child has the variable but not the thread
            # A daemon thread: a run that nobody waits for any more must not keep the process from ending.
            _loop, _owner = asyncio.new_event_loop(), os.getpid()
            threading.Thread(target=_loop.run_forever, name="fusion-tool", daemon=True).start()
        return _loop
