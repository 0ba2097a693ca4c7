"""How often the intervals of paired differences cover the truth, and how often arms alike are called so.

`python benchmarks/evals_statistics.py [samples]`, 2,000 by default; some minutes.
"""

import math
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fusion_tool.evals import statistics
from fusion_tool.evals.statistics import compare, mean_of

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]

DRAWS: dict[str, tuple[Draw, float]] = {
    "normal": (lambda rng, n: rng.normal(size=n), 0.0),
    "exponential": (lambda rng, n: rng.exponential(size=n), 1.0),
    "gamma, shape 2": (lambda rng, n: rng.gamma(2.0, size=n), 2.0),
    "lognormal, sigma 0.5": (lambda rng, n: rng.lognormal(0, 0.5, n), math.exp(0.125)),
    "lognormal, sigma 1": (lambda rng, n: rng.lognormal(0, 1, n), math.exp(0.5)),
    "chi-squared, 1": (lambda rng, n: rng.chisquare(1, n), 1.0),
    "Laplace": (lambda rng, n: rng.laplace(size=n), 0.0),
    "60 % ties": (lambda rng, n: np.where(rng.random(n) < 0.6, 0.0, rng.normal(size=n)), 0.0),
}


def coverage(draw: Draw, truth: float, n: int, samples: int) -> float:
    rng = np.random.default_rng(n)
    covered = 0
    for _ in range(samples):
        found = mean_of(list(draw(rng, n)), bounds=(-math.inf, math.inf)).interval
        covered += found is None or found.low <= truth <= found.high
    return covered / samples


def told_apart(n: int, samples: int) -> float:
    """The share of pairs of equally good arms that are called better or worse."""
    rng = np.random.default_rng(n)
    wrong = 0
    for _ in range(samples):
        level = rng.beta(4, 2.5, n)
        one, other = (np.clip(level + rng.normal(0, 0.08, n), 0, 1) for _ in range(2))
        found = compare("a", dict(enumerate_ids(one)), "b", dict(enumerate_ids(other)))
        wrong += found.finding != "cannot tell"
    return wrong / samples


def enumerate_ids(scores: NDArray[np.float64]) -> list[tuple[str, float]]:
    return [(str(task), float(score)) for task, score in enumerate(scores)]


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    statistics._RESAMPLES = 1_999  # noqa: SLF001 - five times faster; the figures differ by less than their error
    print(f"{samples:,} samples a figure, standard error {math.sqrt(0.05 * 0.95 / samples):.2%}")
    print("| differences | n = 20 | n = 100 |\n|---|---|---|")
    for name, (draw, truth) in DRAWS.items():
        row = [f"{coverage(draw, truth, n, samples):.1%}" for n in (20, 100)]
        print(f"| {name} | {' | '.join(row)} |", flush=True)
    print(f"| arms alike, told apart | {' | '.join(f'{told_apart(n, samples):.1%}' for n in (20, 100))} |")


if __name__ == "__main__":
    main()
