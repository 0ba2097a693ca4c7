"""What may still be begun."""

import asyncio

import pytest

from fusion_tool.budget import Spent
from fusion_tool.evals.purse import Purse


async def granted(purse, worst, later=0.0):
    async with purse.room_for(worst, later) as room:
        return room


async def test_without_a_limit_there_is_always_room():
    assert Purse(None, 100.0).left is None
    assert await granted(Purse(None), 1e9)


@pytest.mark.parametrize(
    ("limit", "spent", "worst", "fits"), [(1, 0, 1, True), (1, 0.5, 0.6, False), (1, 1, 0.01, False)]
)
async def test_room_is_what_the_limit_leaves(limit, spent, worst, fits):
    assert await granted(Purse(limit, spent), worst) is fits


async def test_what_grading_may_take_is_kept_back():
    purse = Purse(1.0)
    assert await granted(purse, 0.3, later=0.4)
    assert purse.left == pytest.approx(0.6)
    assert not await granted(purse, 0.3, later=0.4)
    assert await granted(purse, 0.6)


async def test_a_run_waits_for_what_others_may_leave():
    purse, begun = Purse(1.0), []

    async def run(name, cost):
        async with purse.room_for(0.7) as room:
            begun.append((name, room))
            await asyncio.sleep(0)
            purse.session.ledger.add(Spent(cost if room else 0.0))

    await asyncio.gather(run("first", 0.1), run("second", 0.5), run("third", 0.1))
    assert begun == [("first", True), ("second", True), ("third", False)]
    assert purse.left == pytest.approx(0.4)


async def test_a_run_that_fails_gives_its_room_back():
    purse = Purse(1.0)
    with pytest.raises(RuntimeError):
        async with purse.room_for(1.0):
            raise RuntimeError
    assert await granted(purse, 1.0)
