"""What may still be begun.

The bill before it is spent.
"""

import asyncio

import pytest

from fusion_tool.budget.ledger import Spent
from fusion_tool.config.schema import Panelist
from fusion_tool.evals.costs import EvalBudget, forecast_costs, grading_usd
from fusion_tool.evals.tasks import TaskSet
from tests.unit.evals.folders import panel, references, solo
from tests.unit.evals.tasks import RUBRIC, task


async def granted(purse, worst, later=0.0):
    async with purse.reserve(worst, later) as room:
        return room


async def test_without_a_limit_there_is_always_room():
    assert EvalBudget(None, 100.0).remaining is None
    assert await granted(EvalBudget(None), 1e9)


@pytest.mark.parametrize(
    ("limit", "spent", "worst", "fits"), [(1, 0, 1, True), (1, 0.5, 0.6, False), (1, 1, 0.01, False)]
)
async def test_room_is_what_the_limit_leaves(limit, spent, worst, fits):
    assert await granted(EvalBudget(limit, spent), worst) is fits


async def test_what_grading_may_take_is_kept_back():
    purse = EvalBudget(1.0)
    assert await granted(purse, 0.3, later=0.4)
    assert purse.remaining == pytest.approx(0.6)
    assert not await granted(purse, 0.3, later=0.4)
    assert await granted(purse, 0.6)


async def test_a_run_waits_for_what_others_may_leave():
    purse, begun = EvalBudget(1.0), []

    async def run(name, cost):
        async with purse.reserve(0.7) as room:
            begun.append((name, room))
            await asyncio.sleep(0)
            purse.session.ledger.count(Spent(cost if room else 0.0))

    await asyncio.gather(run("first", 0.1), run("second", 0.5), run("third", 0.1))
    assert begun == [("first", True), ("second", True), ("third", False)]
    assert purse.remaining == pytest.approx(0.4)


async def test_a_run_that_fails_gives_its_room_back():
    purse = EvalBudget(1.0)
    with pytest.raises(RuntimeError):
        async with purse.reserve(1.0):
            raise RuntimeError
    assert await granted(purse, 1.0)


OPUS, GPT = "openrouter:anthropic/claude-opus-4.8", "openrouter:openai/gpt-5.5"
SET = TaskSet(name="set", tasks=(task("a"), task("b"), *references(2)))
JUDGE = Panelist(model="openrouter:google/gemini-3.1-pro-preview")


def test_a_panel_that_two_arms_share_is_reckoned_once():
    one, two = forecast_costs([panel("one", OPUS, GPT), panel("two", OPUS, GPT, synthesizer=GPT)], SET, None)
    (alone,) = forecast_costs([panel("two", OPUS, GPT, synthesizer=GPT)], SET, None)
    assert 0 < two.expected < one.expected
    assert two.expected < alone.expected
    assert two.worst < alone.worst


def test_grading_grows_with_criteria_and_passes_and_only_rubrics_are_graded():
    (once,) = forecast_costs([solo(model=GPT)], SET, JUDGE)
    (thrice,) = forecast_costs([solo(model=GPT)], SET, JUDGE, passes=3)
    assert (once.verdicts, thrice.verdicts) == (2 * len(RUBRIC), 6 * len(RUBRIC))
    assert thrice.grading == pytest.approx(3 * once.grading)
    assert grading_usd(task("a"), JUDGE, 1) > once.grading / 2


def test_what_has_no_price_is_named_and_not_nothing():
    (row,) = forecast_costs([solo(model="openrouter:no/such")], SET, Panelist(model="openrouter:no/judge"))
    assert (row.expected, row.grading) == (None, None)
    assert row.unpriced == ("openrouter:no/such",)
