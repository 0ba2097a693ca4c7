"""Intervals of means and shares, and what they say about a difference of zero.

The mean's is a studentized bootstrap (bootstrap-t: Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
section 12.5). Task scores differ in a skewed way and often tie. The equal-tailed interval follows skew but covers too
little with ties and heavy tails; the symmetric one (Hall, 1988, Annals of Statistics 16, 927-953) the other way round.
Halfway between the two covers 93 to 97 % in `benchmarks/evals_statistics.py`, but for a lognormal of sigma 1 at n = 20.
scipy's own (percentile, BCa) are not studentized and cover about 91 % of skewed data at n = 20.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
_RESAMPLES = 9_999
_SEED = 20_260_612
_FEW = 8
"""Below this many values the bootstrap has too little to draw from: Student's t instead."""
_DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, in the values' own unit, at the confidence `LEVEL`."""

    low: float
    high: float


@dataclass(frozen=True)
class Mean:
    """A mean, its interval, and the two-sided p-value of its being zero.

    `interval` is `None` where the values tell nothing of their spread: a single one, or all alike. `p` is `None`
    where there is a single value.
    """

    n: int
    value: float
    interval: Interval | None
    p: float | None


def mean_of(values: Sequence[float], *, within: tuple[float, float]) -> Mean:
    """The mean of `values`, with an interval; the same values give the same interval.

    Args:
        values: At least one.
        within: The least and the greatest mean there can be, such as `(0, 1)` for scores; the interval ends there.

    Raises:
        ValueError: There are none, or one is not finite.
    """
    import numpy as np

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
        return Mean(n, mean, _clipped(float(low), float(high), within), float(test.pvalue))
    low, high, p = _studentized(x)
    return Mean(n, mean, _clipped(low, high, within), p)


def _clipped(low: float, high: float, within: tuple[float, float]) -> Interval:
    return Interval(max(low, within[0]), min(high, within[1]))


def _studentized(x: "NDArray[np.float64]") -> tuple[float, float, float]:
    """The interval's ends and the p-value: 1 less the highest level at which the interval leaves 0 out."""
    import numpy as np

    mean, error = float(x.mean()), float(x.std(ddof=1) / np.sqrt(x.size))
    t = np.sort(_resampled_t(x))
    size = np.sort(np.abs(t))
    # Entry k - 1 is how far the interval of level k / (B + 1) reaches above and below the mean, in standard errors.
    ranks = np.arange(1, t.size + 1)
    tails = np.maximum((t.size + 1 - ranks) // 2, 1)
    above, below = (size - t[tails - 1]) / 2, (size + t[-tails]) / 2
    k = int(np.ceil((t.size + 1) * LEVEL)) - 1
    leave_zero_out = int(np.count_nonzero((below if mean > 0 else above) * error < abs(mean)))
    p = 1.0 - leave_zero_out / (t.size + 1)
    return float(mean - below[k] * error), float(mean + above[k] * error), p


def _resampled_t(x: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Student's t of each resample about the mean of `x`; a resample without spread says nothing unless it is off."""
    import numpy as np

    rng = np.random.default_rng(_SEED)
    rows = max(1, _DRAWS_AT_ONCE // x.size)
    parts = []
    for start in range(0, _RESAMPLES, rows):
        drawn = rng.choice(x, (min(rows, _RESAMPLES - start), x.size))
        off = drawn.mean(axis=1) - x.mean()
        error = drawn.std(axis=1, ddof=1) / np.sqrt(x.size)
        flat = error < 1e-12  # noqa: PLR2004 - rounding, not spread
        t = off / np.where(flat, 1.0, error)
        parts.append(np.where(flat, np.sign(off) * _FLAT, t))
    return np.concatenate(parts)


_FLAT = 1e6
"""Stands for an infinite t: it takes part in ranks, and a limit that falls on it is wider than any score."""


def share_of(met: int, of: int) -> Interval | None:
    """Wilson's interval of a share; `None` where there was nothing to count."""
    from scipy import stats

    if of == 0:
        return None
    low, high = stats.binomtest(met, of).proportion_ci(LEVEL, method="wilson")
    return Interval(float(low), float(high))
