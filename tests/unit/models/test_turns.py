"""Turns at a local model's server: one at a time, runs in rotation, none lost."""

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.turns import TurnQueue, server_turn

LONG = 3600.0


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def order_of(runs, *, cancel=frozenset()):
    """Whose turn came when, where all of `runs` wait at once and those at the places `cancel` are cancelled."""
    queue, came = TurnQueue(), []

    async def work(place, run):
        async with queue.turn(run, LONG):
            came.append(place)
            await asyncio.sleep(0)

    async with queue.turn("first", LONG):
        tasks = [asyncio.create_task(work(place, run)) for place, run in enumerate(runs)]
        await settle()
        assert came == []
        for place in cancel:
            tasks[place].cancel()
        await settle()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5), queue.turn("last", LONG):  # free again
        return came


ORDERS = {
    "of one run in the order in which they came": ("AAA", [0, 1, 2]),
    "of two runs in rotation": ("AAABB", [0, 3, 1, 4, 2]),
    "a run of one does not wait for all of another": ("AAAAB", [0, 4, 1, 2, 3]),
}


@pytest.mark.parametrize(("runs", "order"), ORDERS.values(), ids=ORDERS)
async def test_turns_come_in_rotation(runs, order):
    assert await order_of(runs) == order


@given(st.lists(st.sampled_from("ABC"), max_size=8), st.data())
def test_everybody_who_stays_gets_a_turn_and_no_run_two_while_another_waits(runs, data):
    gone = data.draw(st.sets(st.sampled_from(range(len(runs))))) if runs else set()
    came = asyncio.run(order_of(runs, cancel=gone))
    assert sorted(came) == [place for place in range(len(runs)) if place not in gone]
    turns = [runs[place] for place in came]
    for at, run in enumerate(turns):
        waiting = {other for other in turns[at:] if other != run}
        if waiting and at and turns[at - 1] == run:
            pytest.fail(f"{run} had two turns while {waiting} waited: {turns}")


async def test_a_turn_that_is_passed_on_to_one_who_has_just_left_is_not_lost():
    queue = TurnQueue()

    async def wait():
        async with queue.turn("A", LONG):
            pytest.fail("it was cancelled")

    async with queue.turn("first", LONG):
        leaver = asyncio.create_task(wait())
        await settle()
    leaver.cancel()  # the turn is its own by now, and it has not run yet
    await asyncio.gather(leaver, return_exceptions=True)
    async with asyncio.timeout(5), queue.turn("last", LONG):
        pass


async def test_a_turn_that_does_not_come_in_time_is_told_as_that():
    queue = TurnQueue()
    async with queue.turn("first", LONG):
        with pytest.raises(ModelCallError, match="busy for others") as caught:
            async with queue.turn("A", 0.0):
                pytest.fail("it is taken")
    assert caught.value.fault.reason == "timeout"


async def test_threads_take_turns_too():
    queue, came = TurnQueue(), []

    async def work():
        async with queue.turn("other", LONG):
            came.append("other")

    async with queue.turn("first", LONG):
        thread = threading.Thread(target=lambda: asyncio.run(work()))
        thread.start()
        while not queue._waiting:  # noqa: ASYNC110 - nothing tells when somebody begins to wait
            await asyncio.sleep(0)
        came.append("first")
    await asyncio.to_thread(thread.join, 5)
    assert came == ["first", "other"]


@pytest.mark.parametrize("model", ["openrouter:test/one", "ollama:qwen3:8b"])
async def test_where_the_server_is_not_ours_nobody_waits(model):
    panelist = Panelist(model=model)
    async with server_turn(panelist, "A", seconds=0.0), server_turn(panelist, "B", seconds=0.0):
        pass


async def test_two_names_of_one_model_are_one_server():
    async with server_turn(Panelist(model="local:qwen"), "A", seconds=LONG):
        with pytest.raises(ModelCallError):
            async with server_turn(Panelist(model="local:qwen2.5-coder-1.5b"), "B", seconds=0.0):
                pytest.fail("it is taken")
