"""The bill before it is spent."""

import pytest

from fusion_tool.config import Panelist
from fusion_tool.evals.forecast import forecast, grading_usd
from fusion_tool.evals.tasks import TaskSet
from tests.unit.evals.folders import panel, references, solo
from tests.unit.evals.tasks import RUBRIC, task

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
