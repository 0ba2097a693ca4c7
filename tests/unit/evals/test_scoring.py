"""Scores: the published formula, and what is missing never counted either way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.scoring import TaskScore, rubric_score, score_arm, score_rubric
from fusion_tool.evals.tasks import Criterion
from tests.unit.evals.tasks import RUBRIC, task


def verdicts(repeat=1, **met):
    return [Verdict(criterion=name, repeat=repeat, met=value) for name, value in met.items()]


ALL = {"year": True, "owner": True, "clear": True, "myth": False}


@pytest.mark.parametrize(
    ("met", "score", "pass_rate"),
    [
        (ALL, 1.0, 1.0),
        (dict.fromkeys(ALL, False), 0.0, 0.25),
        (ALL | {"clear": False}, 0.75, 0.75),
        (ALL | {"myth": True}, 0.0, 0.75),
        (dict.fromkeys(ALL, False) | {"myth": True}, 0.0, 0.0),
    ],
)
def test_weights_met_over_positive_weights_clamped(met, score, pass_rate):
    found = score_rubric(task(), verdicts(**met))
    assert (found.score, found.pass_rate, found.coverage) == (score, pass_rate, 1.0)


def test_each_axis_by_itself():
    found = score_rubric(task(), verdicts(**ALL | {"owner": False}))
    assert found.axes == {"facts": pytest.approx(10 / 15), "style": 1.0}


def test_an_axis_of_flaws_alone_has_no_score():
    rubric = (*RUBRIC[:1], Criterion(id="rude", requirement="Is rude.", weight=-5, axis="tone"))
    assert score_rubric(task(rubric=rubric), verdicts(year=True, rude=False)).axes == {"facts": 1.0}


def test_passes_are_averaged():
    both = verdicts(1, **ALL) + verdicts(2, **ALL | {"year": False})
    assert score_rubric(task(), both, passes=2).score == pytest.approx((1.0 + 0.5) / 2)


@pytest.mark.parametrize(("floor", "score"), [(0.95, None), (0.75, 15 / 15)])
def test_below_the_floor_of_coverage_there_is_no_score_and_above_it_what_is_missing_is_left_out(floor, score):
    partly = verdicts(**ALL | {"owner": None})
    found = score_rubric(task(), partly, floor=floor)
    assert (found.score, found.coverage) == (score, 0.75)


def test_a_pass_that_was_asked_for_and_never_came_lowers_the_coverage():
    found = score_rubric(task(), verdicts(**ALL), passes=2)
    assert (found.score, found.coverage) == (None, 0.5)


def test_verdicts_on_criteria_of_another_rubric_count_for_nothing():
    found = score_rubric(task(), verdicts(**ALL, stranger=True, other=True))
    assert (found.score, found.coverage) == (1.0, 1.0)


def test_where_nothing_positive_was_judged_there_is_no_score():
    assert rubric_score(RUBRIC, {"myth": False}) is None


weights = st.floats(min_value=-500, max_value=20, allow_nan=False)


@given(st.lists(st.tuples(weights, st.booleans()), min_size=1, max_size=30))
def test_a_score_is_a_share_and_meeting_a_merit_never_lowers_it(rows):
    rubric = [Criterion(id=str(n), requirement="x", weight=weight) for n, (weight, _) in enumerate(rows)]
    met = {str(n): value for n, (_, value) in enumerate(rows)}
    score = rubric_score(rubric, met)
    if score is None:
        assert all(weight <= 0 for weight, _ in rows)
        return
    assert 0 <= score <= 1
    for one in rubric:
        if one.weight > 0:
            assert rubric_score(rubric, met | {one.id: True}) >= score


def test_refusals_are_scored_both_ways_with_coverage_beside_them():
    rows = [TaskScore(task=str(n), score=0.8) for n in range(9)]
    refused = score_rubric(task(domain="law"), [], refused=True)
    arm = score_arm([*rows, refused])
    assert (arm.tasks, arm.scored, arm.refused, arm.answered_share) == (10, 9, 1, pytest.approx(0.9))
    assert arm.score.value == pytest.approx(0.8)
    assert arm.score_refusals_zero.value == pytest.approx(0.72)


def test_an_arms_domains_and_axes_carry_n_and_interval():
    rows = [
        TaskScore(task=str(n), domain="law" if n % 2 else "art", score=n / 20, axes={"facts": 0.5}) for n in range(20)
    ]
    arm = score_arm([*rows, TaskScore(task="missing", domain="law", score=None, coverage=0.5)])
    assert {name: mean.n for name, mean in arm.domains.items()} == {"art": 10, "law": 10}
    assert arm.domains["law"].interval.low < arm.domains["law"].value < arm.domains["law"].interval.high
    assert (arm.axes["facts"].value, arm.axes["facts"].interval) == (0.5, None)
    assert (arm.tasks, arm.scored) == (21, 20)


def test_an_arm_without_scores_has_none():
    arm = score_arm([])
    assert (arm.score, arm.score_refusals_zero, arm.pass_rate, arm.domains) == (None, None, None, {})
