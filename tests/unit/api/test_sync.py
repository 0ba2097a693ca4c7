"""The synchronous faces' one loop: from threads, inside a running loop, many times over, interrupted."""

import asyncio
import contextvars
import os
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from fusion_tool.api.sync import iterate_sync, run_sync

who = contextvars.ContextVar("who", default="nobody")


async def loop_id():
    await asyncio.sleep(0)
    return id(asyncio.get_running_loop()), threading.current_thread().name


def test_all_calls_share_one_loop_in_a_thread_of_its_own():
    (seen,) = {run_sync(loop_id()) for _ in range(10)}
    assert seen[1] == "fusion-tool"


def test_it_works_from_threads():
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: run_sync(loop_id()), range(16)))) == 1


async def test_it_works_inside_a_running_loop():
    assert run_sync(loop_id())[0] != id(asyncio.get_running_loop())


def test_the_callers_context_variables_are_seen_and_not_touched():
    async def work():
        seen = who.get()
        who.set("the work")
        return seen

    def call(name):
        who.set(name)
        return run_sync(work()), who.get()

    assert contextvars.copy_context().run(call, "a caller") == ("a caller", "a caller")


def test_an_error_is_raised_where_it_was_waited_for():
    async def work():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        run_sync(work())


def test_work_that_is_cancelled_does_not_hang_its_caller():
    async def work():
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    with pytest.raises(CancelledError):
        run_sync(work())


def test_an_interrupt_cancels_the_work(monkeypatch):
    started, cancelled = threading.Event(), threading.Event()

    async def work():
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    def interrupted(_future, timeout=None):  # noqa: ARG001 - the signature of Future.result
        assert started.wait(5)
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert cancelled.wait(5)


class Counting:
    """Numbers from an asynchronous generator, each of which waits until the one before it was taken."""

    def __init__(self, until=None):
        self.until, self.taken, self.closed = until, threading.Semaphore(1), threading.Event()

    async def __call__(self):
        number = 0
        try:
            while number != self.until:
                await asyncio.to_thread(self.taken.acquire)
                yield number
                number += 1
        finally:
            self.closed.set()


def test_items_are_there_one_by_one():
    count, seen = Counting(3), []
    for number in iterate_sync(count()):
        seen.append(number)
        count.taken.release()
    assert seen == [0, 1, 2]


def test_closing_an_iterator_cancels_the_work():
    count = Counting()
    numbers = iterate_sync(count())
    assert next(numbers) == 0
    numbers.close()
    count.taken.release()
    assert count.closed.wait(5)


def test_an_error_comes_after_what_was_there_before_it():
    async def broken():
        yield 1
        raise ValueError("wrong")

    numbers = iterate_sync(broken())
    assert next(numbers) == 1
    with pytest.raises(ValueError, match="wrong"):
        next(numbers)


def test_an_iterator_that_is_never_begun_does_nothing():
    count = Counting()
    iterate_sync(count()).close()
    assert not count.closed.is_set()


async def test_the_items_see_the_callers_context_variables():
    async def work():
        yield who.get()

    def call():
        who.set("a caller")
        return list(iterate_sync(work()))

    assert contextvars.copy_context().run(call) == ["a caller"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_loop_of_its_own():
    run_sync(loop_id())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if run_sync(loop_id())[1] == "fusion-tool" else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
