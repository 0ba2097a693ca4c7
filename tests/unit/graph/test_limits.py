"""The quorum gate: it waits for whom it must and cuts off the rest."""

import asyncio
import gc

import pytest

from fusion_tool.budget.ledger import Ledger
from fusion_tool.config.schema import Limits
from fusion_tool.graph.limits import LateSeatError, QuorumGate, shared_limits

FOREVER = asyncio.Event


async def work(gate, until, seat):
    async with gate.admit():
        await until.wait()
    gate.record_answer(seat)
    return "answered"


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def panel(gate, count):
    """`count` seats at work, each with the event that ends it."""
    ends = [asyncio.Event() for _ in range(count)]
    seats = [asyncio.create_task(work(gate, end, f"seat {n}")) for n, end in enumerate(ends)]
    await turns()
    return seats, ends


async def test_with_no_quorum_everyone_is_waited_for():
    seats, ends = await panel(QuorumGate(quorum=None, grace_seconds=0), 3)
    for end in ends[:2]:
        end.set()
    await turns()
    assert not seats[2].done()
    ends[2].set()
    assert await asyncio.gather(*seats) == ["answered"] * 3


async def test_the_late_are_cut_once_the_quorum_answered():
    seats, ends = await panel(QuorumGate(quorum=2, grace_seconds=0), 4)
    ends[0].set()
    await turns()
    assert not any(seat.done() for seat in seats[1:])
    ends[1].set()
    outcomes = await asyncio.gather(*seats, return_exceptions=True)
    assert outcomes[:2] == ["answered", "answered"]
    assert [type(late) for late in outcomes[2:]] == [LateSeatError, LateSeatError]


async def test_grace_lets_the_late_still_answer():
    seats, ends = await panel(QuorumGate(quorum=1, grace_seconds=3600), 2)
    ends[0].set()
    await turns()
    assert not seats[1].done()
    ends[1].set()
    assert await asyncio.gather(*seats) == ["answered", "answered"]


async def test_a_seat_that_starts_after_the_gate_closed_is_late():
    gate = QuorumGate(quorum=1, grace_seconds=0)
    gate.record_answer("a seat")
    with pytest.raises(LateSeatError):
        async with gate.admit():
            await FOREVER().wait()


async def test_a_seats_own_timeout_is_its_own():
    gate = QuorumGate(quorum=1, grace_seconds=3600)
    with pytest.raises(TimeoutError):
        async with gate.admit():
            raise TimeoutError


async def test_a_cancelled_seat_is_cancelled_and_not_late():
    seats, _ = await panel(QuorumGate(quorum=1, grace_seconds=3600), 1)
    seats[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await seats[0]


async def test_more_answers_than_the_quorum_change_nothing():
    gate = QuorumGate(quorum=1, grace_seconds=3600)
    for seat in ("one", "two", "three"):
        gate.record_answer(seat)
    async with gate.admit():
        await asyncio.sleep(0)


def wave(key):
    return shared_limits(key, Limits(quorum=1), Ledger(usd=None, tokens=1000))


def test_a_waves_limits_are_shared_by_their_key_and_go_with_their_last_holder():
    one = wave("run/1")
    assert wave("run/1") is one
    assert wave("run/2") is not one
    known = id(one)
    one.mark = "the first"
    del one
    gc.collect()
    assert known
    assert not hasattr(wave("run/1"), "mark")


async def test_a_seat_counts_once_however_often_it_is_told():
    """A resumed run's seats each tell who had answered before."""
    gate, end = QuorumGate(quorum=2, grace_seconds=0), asyncio.Event()
    gate.record_answer("one")
    gate.record_answer("one")
    late = asyncio.create_task(work(gate, end, "two"))
    await turns()
    end.set()
    assert await late == "answered"
