"""The split of a panel's gain: each part between two arms that differ by that part alone."""

import numpy as np
import pytest

from fusion_tool.evals.metrics.lifts import ArmDesign, ArmScores, lifts

RNG = np.random.default_rng(4)
LEVEL = RNG.uniform(0.3, 0.7, 30)


def arm(name, *models, gain=0.0, tools=True, cost=1.0, synthesizer=None):
    scores = {f"t{n}": float(value) for n, value in enumerate(LEVEL + gain + RNG.normal(0, 0.02, 30))}
    writer = synthesizer or (models[0] if len(models) > 1 else None)
    return ArmScores(name, ArmDesign(models, tools, writer), scores, cost)


SOLO = arm("solo", "a")
BARE = arm("bare", "a", tools=False, gain=-0.1)
SELF = arm("self", "a", "a", gain=0.06, cost=2.0)
MIXED = arm("mixed", "a", "b", gain=0.08, cost=2.2)


def test_each_lift_is_found_once():
    found = lifts([SOLO, BARE, SELF, MIXED])
    assert [(one.kind, one.comparison.arm, one.comparison.against) for one in found] == [
        ("tools", "solo", "bare"),
        ("synthesis", "self", "solo"),
        ("diversity", "mixed", "self"),
    ]
    assert [one.comparison.difference for one in found] == [
        pytest.approx(gain, abs=0.02) for gain in (0.10, 0.06, 0.02)
    ]
    assert {one.comparison.comparison_count for one in found} == {3}


def test_spend_is_told_and_found_equal_or_not():
    synthesis, diversity = lifts([SOLO, SELF, MIXED])
    assert (synthesis.spend_ratio, diversity.spend_ratio) == (2.0, pytest.approx(1.1))
    assert diversity.caveats == ()
    (unequal,) = lifts([SELF, arm("rich", "a", "b", cost=5.0)])
    assert unequal.caveats == ("the spend is not equal: rich cost 2.5 times as much",)
    assert unequal.sentence.endswith("rich cost 2.5 times as much")
    (unknown,) = lifts([SELF, arm("free", "a", "b", cost=None)])
    assert (unknown.spend_ratio, unknown.caveats) == (None, ("whether the spend is equal is unknown",))


def test_diversity_is_against_the_self_fusion_of_the_nearest_spend():
    (found,) = lifts([SELF, arm("self-3", "a", "a", "a", cost=3.0), arm("trio", "a", "b", cost=3.1)])
    assert found.comparison.against == "self-3"


def test_what_else_differs_is_said():
    (found,) = lifts([SELF, arm("mixed", "a", "b", cost=2.0, synthesizer="c")])
    assert found.caveats == ("their synthesizers differ",)
    (found,) = lifts([SOLO, arm("self", "a", "a", synthesizer="c")])
    assert "the synthesizer, c, is another model" in found.sentence


@pytest.mark.parametrize(
    "arms",
    [
        [SOLO, MIXED],
        [SOLO, arm("other", "b", "b")],
        [BARE, SELF],
        [SELF, arm("mixed-bare", "a", "b", tools=False)],
        [SOLO],
        [],
    ],
)
def test_arms_that_differ_by_more_than_one_thing_show_no_lift(arms):
    assert lifts(arms) == []
