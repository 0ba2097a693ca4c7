"""Work that ends with its client, and a callback that cannot wait."""

import asyncio

import pytest

from fusion_tool.servers.openai.connection import ClientGoneError, while_connected
from fusion_tool.servers.openai.relay import relay_deltas


async def stays():
    await asyncio.Event().wait()


async def leaves():
    return {"type": "http.disconnect"}


class Work:
    """Never ends by itself, and remembers that it was ended."""

    ended = False

    async def __call__(self):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended = True


def stay():
    raise AssertionError("no client left")


async def test_work_is_done_for_a_client_that_stays():
    done = []

    async def work():
        done.append(1)

    await while_connected(stays, work(), on_leave=stay)
    assert done == [1]


async def test_works_own_error_is_raised():
    async def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        await while_connected(stays, work(), on_leave=stay)


async def test_when_the_client_leaves_the_work_has_ended():
    work, had_ended = Work(), []
    with pytest.raises(ClientGoneError):
        await while_connected(leaves, work(), on_leave=lambda: had_ended.append(work.ended))
    assert work.ended
    assert had_ended == [False]


async def test_when_the_caller_is_cancelled_the_work_has_ended():
    work = Work()
    task = asyncio.create_task(while_connected(stays, work(), on_leave=stay))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended


async def test_texts_are_relayed_in_order_and_before_the_result():
    said = []

    async def say(text):
        await asyncio.sleep(0)
        said.append(text)

    async def work(put):
        for text in "abc":
            put(text)
        return "done"

    assert await relay_deltas(say, work) == "done"
    assert said == ["a", "b", "c"]


async def test_what_was_said_before_a_failure_is_passed_on():
    said = []

    async def say(text):
        said.append(text)

    async def work(put):
        put("a")
        raise KeyError("x")

    with pytest.raises(KeyError):
        await relay_deltas(say, work)
    assert said == ["a"]


async def test_a_listener_that_fails_ends_the_relay():
    async def say(text):
        raise ConnectionError(text)

    async def work(put):
        put("a")

    with pytest.raises(ConnectionError):
        await relay_deltas(say, work)
