"""Comparisons: paired, corrected for being many, and put into words that claim no more than the tasks show.

Intervals that cover as often as they claim, and claim nothing where the data tell nothing.
"""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.evals import statistics
from fusion_tool.evals.statistics import Interval, compare, detectable, holm, mean_of, share_of


def arm(values):
    return {f"t{n}": float(value) for n, value in enumerate(values)}


RNG = np.random.default_rng(3)
BASE = RNG.uniform(0.3, 0.8, 40)
BETTER = BASE + 0.05 + RNG.normal(0, 0.06, 40)
ALIKE = BASE + RNG.normal(0, 0.06, 40)


def test_better_and_worse_are_the_same_difference_seen_from_both_sides():
    up, down = compare("panel", arm(BETTER), "solo", arm(BASE)), compare("solo", arm(BASE), "panel", arm(BETTER))
    assert (up.finding, down.finding) == ("better", "worse")
    assert up.difference == pytest.approx(-down.difference)
    low, high = up.interval.low * 100, up.interval.high * 100
    reach = f"by {up.difference * 100:.1f} points ({low:.1f} to {high:.1f}), n = 40"
    assert up.sentence == f"panel is better than solo {reach}"
    assert down.sentence == f"solo is worse than panel {reach}"


def test_what_cannot_be_told_says_how_much_could_have_been():
    found = compare("panel", arm(ALIKE), "solo", arm(BASE))
    assert found.finding == "cannot tell"
    assert found.sentence.startswith("cannot tell panel from solo with n = 40: ")
    assert found.sentence.endswith(f"40 tasks show {found.detectable * 100:.1f} points or more")


def test_only_tasks_with_both_scores_are_compared():
    scores, others = {"a": 0.5, "b": None, "c": 0.5}, {"a": 0.4, "b": 0.4, "d": 0.4}
    assert compare("x", scores, "y", others).n == 1
    nothing = compare("x", {"a": 1.0}, "y", {"b": 1.0})
    assert (nothing.n, nothing.difference, nothing.finding) == (0, None, "cannot tell")
    assert nothing.sentence == "cannot tell: no task was scored for both x and y"


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_tasks_never_tell_however_alike_their_differences(n):
    assert compare("x", arm([0.9] * n), "y", arm([0.1] * n)).finding == "cannot tell"


def test_the_same_scores_tell_nothing():
    same = compare("x", arm(BASE), "y", arm(BASE))
    assert (same.difference, same.interval, same.p, same.finding) == (0.0, None, 1.0, "cannot tell")


def test_a_score_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        compare("x", {"a": float("nan")}, "y", {"a": 0.1})


def test_binary_scores_go_by_mcnemars_exact_test():
    ones, others = [1] * 9 + [0] * 2 + [1] * 9, [0] * 9 + [1] * 2 + [1] * 9
    found = compare("x", arm(ones), "y", arm(others))
    assert found.p == pytest.approx(scipy.stats.binomtest(9, 11).pvalue)
    assert found.difference == pytest.approx(7 / 20)
    # Bonett and Price (2012): (10 - 3) / 22 plus and minus 1.96 sqrt((10 + 3) / 22 - ((10 - 3) / 22)^2) / sqrt(22).
    middle, half = 7 / 22, 1.959964 * ((13 / 22 - (7 / 22) ** 2) / 22) ** 0.5
    assert (found.interval.low, found.interval.high) == (pytest.approx(middle - half), pytest.approx(middle + half))
    assert found.finding == "cannot tell"


def test_binary_scores_that_all_agree_tell_nothing_but_how_little_is_known():
    found = compare("x", arm([1] * 10), "y", arm([1] * 10))
    assert (found.p, found.finding) == (1.0, "cannot tell")
    assert found.interval.low < 0 < found.interval.high


def test_the_detectable_difference_is_the_one_that_is_found_four_times_in_five():
    differences = RNG.normal(0, 0.1, 20)
    least = detectable(list(differences))
    spread = np.std(differences, ddof=1)
    rng = np.random.default_rng(5)
    samples = rng.normal(least, spread, (4000, 20))
    found = scipy.stats.ttest_1samp(samples, 0, axis=1).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.03)
    assert detectable([0.1]) is None
    assert detectable([0.1, 0.1]) is None


def test_more_tasks_detect_less():
    assert detectable([0.1, -0.1] * 50) < detectable([0.1, -0.1] * 10)


def test_holm_multiplies_the_smallest_by_the_most_and_keeps_the_order():
    # Holm (1979): 0.01 * 3, then 0.02 * 2, then the largest of 0.04 * 1 and what came before.
    rows = [compare("x", arm(BASE), "y", arm(BASE)) for _ in range(3)]
    with_p = [row.__class__(**row.__dict__ | {"p": p}) for row, p in zip(rows, (0.04, 0.01, 0.02), strict=True)]
    assert [row.adjusted_p for row in holm(with_p)] == [pytest.approx(0.04), pytest.approx(0.03), pytest.approx(0.04)]
    nothing = compare("x", {}, "y", {})
    assert holm([nothing])[0].adjusted_p is None


def test_a_difference_that_only_stands_alone_is_called_so():
    rng = np.random.default_rng(11)
    weak = compare("x", arm(BASE + 0.022 + rng.normal(0, 0.05, 40)), "y", arm(BASE))
    assert weak.finding == "better"
    assert weak.p > 0.005
    many = holm([weak] + [compare("x", arm(BASE), "y", arm(BASE))] * 9)[0]
    assert many.finding == "cannot tell"
    assert "after correction for 10 comparisons" in many.sentence


def test_arms_without_a_difference_are_told_apart_at_most_7_times_in_100(monkeypatch):
    monkeypatch.setattr(statistics, "_RESAMPLES", 999)
    rng = np.random.default_rng(2)

    def two():
        level = rng.beta(4, 2.5, 20)
        return [arm(np.clip(level + rng.normal(0, 0.08, 20), 0, 1)) for _ in range(2)]

    found = [compare("x", one, "y", other).finding for one, other in (two() for _ in range(500))]
    assert found.count("cannot tell") / len(found) >= 0.93


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
    monkeypatch.setattr(statistics, "_RESAMPLES", 999)
    rng = np.random.default_rng(7)
    means = [mean_of(draw(rng, n), bounds=ANYWHERE) for _ in range(500)]
    covered = sum(mean.interval.low <= 0 <= mean.interval.high for mean in means)
    assert 0.93 <= covered / len(means) <= 0.97
    # The p-value says the same as the interval, but for draws on the very edge.
    assert sum((mean.p < 0.05) != (not mean.interval.low <= 0 <= mean.interval.high) for mean in means) <= 2


def test_the_same_values_give_the_same_interval():
    values = np.random.default_rng(1).normal(size=30)
    assert mean_of(values, bounds=ANYWHERE) == mean_of(list(values), bounds=ANYWHERE)


scores = st.lists(st.floats(0, 1), min_size=2, max_size=25)


@settings(deadline=None, max_examples=30)
@given(scores)
def test_an_interval_lies_around_the_mean_and_within_the_possible(values):
    mean = mean_of(values, bounds=(0, 1))
    if mean.interval:
        assert 0 <= mean.interval.low <= mean.value + 1e-9
        assert mean.value - 1e-9 <= mean.interval.high <= 1
    assert 0 <= mean.p <= 1


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-1, 1), min_size=8, max_size=20))
def test_turned_round_values_turn_the_interval_round_up_to_resampling(values):
    one, other = mean_of(values, bounds=ANYWHERE), mean_of([-value for value in values], bounds=ANYWHERE)
    assert (one.interval is None) == (other.interval is None)
    if one.interval:
        assert one.interval.low == pytest.approx(-other.interval.high)


@pytest.mark.parametrize(
    ("values", "p"), [([0.5], None), ([0.0] * 20, 1.0), ([0.1, 0.1], 0.5), ([0.1] * 20, 2.0**-19), ([-0.1] * 3, 0.25)]
)
def test_values_without_spread_give_no_interval(values, p):
    mean = mean_of(values, bounds=(-1, 1))
    assert mean.interval is None
    assert mean.p == p


def test_few_values_give_students_interval():
    mean = mean_of([0.1, 0.2, 0.3], bounds=(-1, 1))
    assert mean.interval.low == pytest.approx(0.2 - 4.302653 * 0.1 / math.sqrt(3), abs=1e-6)


def test_one_outlier_gives_a_wide_interval_not_a_false_one():
    mean = mean_of([0.0] * 19 + [1.0], bounds=(-1, 1))
    assert mean.interval.low <= 0
    assert mean.p > 0.05


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf, 0.2]])
def test_what_is_no_number_is_refused(values):
    with pytest.raises(ValueError, match="finite"):
        mean_of(values, bounds=(0, 1))


def test_a_share_has_wilsons_interval():
    assert share_of(0, 0) is None
    found = share_of(9, 10)
    # Wilson (1927): 9 of 10 is 0.596 to 0.982.
    assert (found.low, found.high) == (pytest.approx(0.5958, abs=1e-4), pytest.approx(0.9821, abs=1e-4))
    assert share_of(10, 10) == Interval(pytest.approx(0.7225, abs=1e-4), pytest.approx(1.0))
