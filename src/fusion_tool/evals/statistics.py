"""Statistics of scores: means with intervals (`mean_of`), paired comparisons (`compare`), corrections (`holm`).

The mean's is a studentized bootstrap (bootstrap-t: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
section 12.5). Task scores differ in a skewed way and often tie. The equal-tailed interval follows skew but covers too
little with ties and heavy tails; the symmetric one (Hall, 1988, Annals of Statistics 16, 927-953) the other way round.
Halfway between the two covers 93 to 97 % in `benchmarks/evals_statistics.py`, but for a lognormal of sigma 1 at n = 20.
scipy's own (percentile, BCa) are not studentized and cover about 91 % of skewed data at n = 20.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import stdev
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
_RESAMPLES = 9_999
"""One less than a round number, so that LEVEL falls on a rank, and no interval lies between two."""
_SEED = 20_260_612
_FEW = 8
"""Below this many values the bootstrap has too little to draw from: Student's t instead."""
_DRAWS_AT_ONCE = 2_000_000  # 16 MB; all resamples of thousands of tasks at once would take gigabytes


@dataclass(frozen=True)
class Interval:
    """A confidence interval from `low` to `high`, in the values' own unit, at the level `LEVEL`."""

    low: float
    high: float


@dataclass(frozen=True)
class Mean:
    """A mean with its interval and test.

    Args:
        n: Number of values.
        value: The mean.
        interval: Its interval; `None` where the values have no spread: a single value, or all alike.
        p: The two-sided p-value of a true mean of zero; `None` for a single value.
    """

    n: int
    value: float
    interval: Interval | None
    p: float | None


def mean_of(values: Sequence[float], *, bounds: tuple[float, float]) -> Mean:
    """Return the mean of `values` with its interval; the same values give the same interval.

    Args:
        values: At least one.
        bounds: The least and the greatest possible mean, such as `(0, 1)` for scores; the interval ends there.

    Raises:
        ValueError: There are no values, or one is not finite.
    """
    import numpy as np  # late, as scipy below: both are of the extra `evals`, and take a second to load

    x = np.asarray(values, dtype=float)
    if x.size == 0 or not np.isfinite(x).all():
        raise ValueError("a mean needs at least one value, and finite ones")
    n, mean = x.size, float(x.mean())
    if n == 1:
        return Mean(n, mean, None, None)
    if np.ptp(x) < 1e-12:  # noqa: PLR2004 - rounding, not spread
        # The sign test: as likely as n coins that fall alike.
        return Mean(n, mean, None, 1.0 if abs(mean) < 1e-12 else 2.0 ** (1 - n))  # noqa: PLR2004 - likewise
    if n < _FEW:
        from scipy import stats

        test = stats.ttest_1samp(x, 0.0)
        low, high = test.confidence_interval(LEVEL)
        return Mean(n, mean, _clip(float(low), float(high), bounds), float(test.pvalue))
    low, high, p = _studentized_interval(x)
    return Mean(n, mean, _clip(low, high, bounds), p)


def _clip(low: float, high: float, within: tuple[float, float]) -> Interval:
    return Interval(max(low, within[0]), min(high, within[1]))


def _studentized_interval(x: "NDArray[np.float64]") -> tuple[float, float, float]:
    """Return the interval's ends and the p-value: 1 less the highest level at which the interval leaves 0 out."""
    import numpy as np

    mean, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(x.size))
    t = np.sort(_resampled_t(x))
    size = np.sort(np.abs(t))
    # Entry k - 1 is how far the interval of level k / (B + 1) reaches above and below the mean, in standard errors.
    ranks = np.arange(1, t.size + 1)
    tails = np.maximum((t.size + 1 - ranks) // 2, 1)
    above, below = (size - t[tails - 1]) / 2, (size + t[-tails]) / 2
    k = int(np.ceil((t.size + 1) * LEVEL)) - 1
    # From the same intervals, not from a test of its own: interval and p-value must not contradict each other.
    leave_zero_out = int(np.count_nonzero((below if mean > 0 else above) * error < abs(mean)))
    p = 1.0 - leave_zero_out / (t.size + 1)
    return float(mean - below[k] * error), float(mean + above[k] * error), p


def _resampled_t(x: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return Student's t of each resample about the mean of `x`; infinite for one without spread and another mean."""
    import numpy as np

    rng = np.random.default_rng(_SEED)  # the same report twice has the same intervals
    rows = max(1, _DRAWS_AT_ONCE // x.size)
    parts = []
    for start in range(0, _RESAMPLES, rows):
        resamples = rng.choice(x, (min(rows, _RESAMPLES - start), x.size))
        off = resamples.mean(axis=1) - x.mean()
        error = resamples.std(axis=1, ddof=1) / np.sqrt(x.size)
        # With ties a resample may hold one value alone. To leave it out would narrow the interval.
        flat = error < 1e-12  # noqa: PLR2004 - rounding, not spread
        t = off / np.where(flat, 1.0, error)
        parts.append(np.where(flat, np.sign(off) * _FLAT, t))
    return np.concatenate(parts)


_FLAT = 1e6
"""Stands for an infinite t: it takes part in ranks, and a limit that falls on it is wider than any score."""


def share_of(met: int, of: int, *, method: Literal["wilson", "exact"] = "wilson") -> Interval | None:
    """Return Wilson's interval of the share `met / of`, or the exact one of Clopper and Pearson; `None` of nothing."""
    from scipy import stats

    if of == 0:
        return None
    low, high = stats.binomtest(met, of).proportion_ci(LEVEL, method=method)
    return Interval(float(low), float(high))


ALPHA = 1 - LEVEL
_POWER = 0.8

Finding: TypeAlias = Literal["better", "worse", "cannot tell"]


@dataclass(frozen=True)
class PairedComparison:
    """The difference of two arms' scores, over the tasks on which both have one.

    Args:
        arm: Name of the first arm.
        against: Name of the arm whose scores are subtracted.
        n: Number of tasks with both scores.
        difference: Mean of the paired differences, in scores (0 to 1); `None` where no task has both.
        interval: Interval of the difference; `None` where the differences have no spread.
        p: Two-sided p-value of no difference: by the bootstrap, or McNemar's exact test where all scores are 0 or 1.
        adjusted_p: `p` after Holm's correction for the comparisons made beside this one; `p` where it stands alone.
        comparison_count: Number of comparisons made together.
        detectable: The smallest true difference that this many tasks with this spread show with power 0.8; `None`
            where there is no spread.
    """

    arm: str
    against: str
    n: int
    difference: float | None
    interval: Interval | None
    p: float | None
    adjusted_p: float | None
    comparison_count: int
    detectable: float | None

    @property
    def finding(self) -> Finding:
        """`better` or `worse` only where both the corrected test and the interval say so."""
        if self.difference is None or self.adjusted_p is None or self.adjusted_p >= ALPHA:
            return "cannot tell"
        # McNemar's test and the interval of proportions are two methods, and may differ at the edge.
        if self.interval is not None and self.interval.low <= 0 <= self.interval.high:
            return "cannot tell"
        return "better" if self.difference > 0 else "worse"

    @property
    def sentence(self) -> str:
        """The finding in plain words; differences in points, hundredths of a score."""
        if self.difference is None:
            return f"cannot tell: no task was scored for both {self.arm} and {self.against}"
        if (finding := self.finding) != "cannot tell":
            gain = _points(abs(self.difference))
            return f"{self.arm} is {finding} than {self.against} by {gain} {self._gain_interval}, n = {self.n}"
        least = f"; {self.n} tasks show {_points(self.detectable)} or more" if self.detectable else ""
        many = f", after correction for {self.comparison_count} comparisons" if self._is_lost_by_correction else ""
        interval = f" {_format_interval(self.interval)}" if self.interval else ""
        return (
            f"cannot tell {self.arm} from {self.against} with n = {self.n}: "
            f"{_points(self.difference, signed=True)}{interval}{many}{least}"
        )

    @property
    def _is_lost_by_correction(self) -> bool:
        return self.comparison_count > 1 and self.p is not None and self.p < ALPHA

    @property
    def _gain_interval(self) -> str:
        if self.interval is None or self.difference is None:
            return "on each task alike"
        # "Worse by 3 points (1 to 5)": with the sign in the word, the interval's ends change places.
        low, high = self.interval.low, self.interval.high
        return _format_interval(self.interval if self.difference > 0 else Interval(-high, -low))


def compare(
    arm: str, scores: Mapping[str, float | None], against: str, others: Mapping[str, float | None]
) -> PairedComparison:
    """Compare two arms: the first's scores less the second's, task by task.

    Args:
        arm: Name of the first arm.
        scores: Its scores by task id, 0 to 1; a task without a score is left out.
        against: Name of the second arm.
        others: The second arm's scores, likewise.

    Raises:
        ValueError: A score is not finite.
    """
    # Sorted by task: the resampling is seeded, and the order of rows in a folder must not change the interval.
    pairs = [
        (score, other)
        for task, score in sorted(scores.items())
        if score is not None and (other := others.get(task)) is not None
    ]
    if not pairs:
        return PairedComparison(arm, against, 0, None, None, None, None, 1, None)
    differences = [score - other for score, other in pairs]
    mean = mean_of(differences, bounds=(-1.0, 1.0))
    if all(score in (0, 1) for pair in pairs for score in pair):
        mean = _proportion_mean(mean, won=differences.count(1), lost=differences.count(-1))
    least = detectable(differences)
    return PairedComparison(arm, against, mean.n, mean.value, mean.interval, mean.p, mean.p, 1, least)


def _proportion_mean(mean: Mean, *, won: int, lost: int) -> Mean:
    """Return `mean` of differences between scores of 0 and 1, with the interval and the test for paired proportions.

    The interval is Wald's with one success and one failure added (Bonett and Price, 2012, Journal of Educational and
    Behavioral Statistics 37, 479-488); the test is McNemar's, exact: a coin for each task on which the two differ.
    """
    from scipy import stats

    p = float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
    gained, missed, n = (won + 1) / (mean.n + 2), (lost + 1) / (mean.n + 2), mean.n + 2
    middle = gained - missed
    half = float(stats.norm.ppf(1 - ALPHA / 2)) * math.sqrt((gained + missed - middle**2) / n)
    return replace(mean, interval=Interval(max(middle - half, -1.0), min(middle + half, 1.0)), p=p)


def detectable(differences: Sequence[float], *, alpha: float = ALPHA, power: float = _POWER) -> float | None:
    """Return the smallest true mean difference that a paired t-test on as many tasks with this spread finds.

    Args:
        differences: Differences of the scores, task by task; they give number and spread.
        alpha: Level of the two-sided test.
        power: Probability of finding the difference.

    Returns:
        The difference in scores; `None` where fewer than two differences, or no spread, tell nothing.
    """
    from scipy import optimize, stats

    n = len(differences)
    spread = stdev(differences) if n > 1 else 0.0
    if spread < 1e-12:  # noqa: PLR2004 - rounding, not spread
        return None
    critical = stats.t.ppf(1 - alpha / 2, n - 1)

    # The other tail is left out: at power 0.8 the chance of a finding in the wrong direction is next to nothing.
    def missing(effect: float) -> float:
        return float(stats.nct.sf(critical, n - 1, effect * math.sqrt(n)) - power)

    return float(optimize.brentq(missing, 0.0, 20.0)) * spread  # effects in standard deviations; none is near 20


def holm(comparisons: Sequence[PairedComparison]) -> list[PairedComparison]:
    """Correct p-values for the number of `comparisons` (Holm, 1979, Scand. J. Statistics 6, 65-70); the order stays."""
    ranked = sorted((c.p, place) for place, c in enumerate(comparisons) if c.p is not None)
    adjusted: dict[int, float] = {}
    largest = 0.0
    for rank, (p, place) in enumerate(ranked):
        # Never below the one before: the correction must not change the order of the p-values.
        adjusted[place] = largest = max(largest, min(1.0, p * (len(ranked) - rank)))
    return [
        replace(c, adjusted_p=adjusted.get(place), comparison_count=len(ranked)) for place, c in enumerate(comparisons)
    ]


def _format_interval(interval: Interval) -> str:
    return f"({interval.low * 100:.1f} to {interval.high * 100:.1f})"


def _points(score: float, *, signed: bool = False) -> str:
    return f"{score * 100:{'+' if signed else ''}.1f} points"
