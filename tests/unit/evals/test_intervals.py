"""Intervals that cover as often as they claim, and claim nothing where the data tell nothing."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.evals import intervals
from fusion_tool.evals.intervals import Interval, mean_of, share_of

ANYWHERE = (-math.inf, math.inf)


def skewed(rng, n):
    return rng.exponential(size=n) - 1


def normal(rng, n):
    return rng.normal(size=n)


def tied(rng, n):
    """Most tasks without a difference, as between two good arms."""
    return np.where(rng.random(n) < 0.5, 0.0, rng.normal(size=n))


@pytest.mark.parametrize("n", [20, 100])
@pytest.mark.parametrize("draw", [normal, skewed, tied])
def test_an_interval_covers_the_true_mean_93_to_97_times_in_100(draw, n, monkeypatch):
    monkeypatch.setattr(intervals, "_RESAMPLES", 999)
    rng = np.random.default_rng(7)
    means = [mean_of(draw(rng, n), within=ANYWHERE) for _ in range(500)]
    covered = sum(mean.interval.low <= 0 <= mean.interval.high for mean in means)
    assert 0.93 <= covered / len(means) <= 0.97
    # The p-value says the same as the interval, but for draws on the very edge.
    assert sum((mean.p < 0.05) != (not mean.interval.low <= 0 <= mean.interval.high) for mean in means) <= 2


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(1).normal(size=30)
    assert mean_of(values, within=ANYWHERE) == mean_of(list(values), within=ANYWHERE)


scores = st.lists(st.floats(0, 1), min_size=2, max_size=25)


@settings(deadline=None, max_examples=30)
@given(scores)
def test_an_interval_lies_around_the_mean_and_within_the_possible(values):
    mean = mean_of(values, within=(0, 1))
    if mean.interval:
        assert 0 <= mean.interval.low <= mean.value + 1e-9
        assert mean.value - 1e-9 <= mean.interval.high <= 1
    assert 0 <= mean.p <= 1


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=20))
def test_turned_round_values_turn_the_interval_round_up_to_resampling(values):
    one, other = mean_of(values, within=ANYWHERE), mean_of([-value for value in values], within=ANYWHERE)
    assert (one.interval is None) == (other.interval is None)
    if one.interval:
        assert one.interval.low == pytest.approx(-other.interval.high)


@pytest.mark.parametrize(
    ("values", "p"), [([0.5], None), ([0.0] * 20, 1.0), ([0.1, 0.1], 0.5), ([0.1] * 20, 2.0**-19), ([-0.1] * 3, 0.25)]
)
def test_values_without_spread_give_no_interval(values, p):
    mean = mean_of(values, within=(-1, 1))
    assert mean.interval is None
    assert mean.p == p


def test_few_values_give_students_interval():
    mean = mean_of([0.1, 0.2, 0.3], within=(-1, 1))
    assert mean.interval.low == pytest.approx(0.2 - 4.302653 * 0.1 / math.sqrt(3), abs=1e-6)


def test_one_outlier_gives_a_wide_interval_not_a_false_one():
    mean = mean_of([0.0] * 19 + [1.0], within=(-1, 1))
    assert mean.interval.low <= 0
    assert mean.p > 0.05


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf, 0.2]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        mean_of(values, within=(0, 1))


def test_a_share_has_wilsons_interval():
    assert share_of(0, 0) is None
    found = share_of(9, 10)
    # Wilson (1927): 9 of 10 is 0.596 to 0.982.
    assert (found.low, found.high) == (pytest.approx(0.5958, abs=1e-4), pytest.approx(0.9821, abs=1e-4))
    assert share_of(10, 10) == Interval(pytest.approx(0.7225, abs=1e-4), pytest.approx(1.0))
