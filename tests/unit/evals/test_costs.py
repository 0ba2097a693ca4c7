"""What may still be begun.

The bill before it is spent.
"""

import asyncio

import pytest

from fusion_tool.budget.ledger import Spent
from fusion_tool.config.schema import Panelist
from fusion_tool.evals.costs import Purse, forecast, grading_usd
from fusion_tool.evals.tasks import TaskSet
from tests.unit.evals.folders import panel, references, solo
from tests.unit.evals.tasks import RUBRIC, task


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


OPUS, GPT = "openrouter:anthropic/claude-opus-4.8", "openrouter:openai/gpt-5.5"
SET = TaskSet(name="set", tasks=(task("a"), task("b"), *references(2)))
JUDGE = Panelist(model="openrouter:google/gemini-3.1-pro-preview")


def test_a_panel_that_two_arms_share_is_reckoned_once():
    one, two = forecast([panel("one", OPUS, GPT), panel("two", OPUS, GPT, synthesizer=GPT)], SET, None)
    (alone,) = forecast([panel("two", OPUS, GPT, synthesizer=GPT)], SET, None)
    assert 0 < two.expected < one.expected
    assert two.expected < alone.expected
    assert two.worst < alone.worst


def test_grading_grows_with_criteria_and_passes_and_only_rubrics_are_graded():
    (once,) = forecast([solo(model=GPT)], SET, JUDGE)
    (thrice,) = forecast([solo(model=GPT)], SET, JUDGE, passes=3)
    assert (once.verdicts, thrice.verdicts) == (2 * len(RUBRIC), 6 * len(RUBRIC))
    assert thrice.grading == pytest.approx(3 * once.grading)
    assert grading_usd(task("a"), JUDGE, 1) > once.grading / 2


def test_what_has_no_price_is_named_and_not_nothing():
    (row,) = forecast([solo(model="openrouter:no/such")], SET, Panelist(model="openrouter:no/judge"))
    assert (row.expected, row.grading) == (None, None)
    assert row.unpriced == ("openrouter:no/such",)
