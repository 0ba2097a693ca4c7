"""The relative quality of models in a domain: the score divided by the best model's, on one benchmark."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

from fusion_tool.routing.classifier.signals import Domain
from fusion_tool.routing.profiles import Profile, Score

_SEVERAL = 2
"""Number of models from which the user's own measurements stand alone: a single result compares with nothing."""


class Quality(NamedTuple):
    """The worth of models in a domain.

    Args:
        scores: Points of 100 by `Profile.id`, of the models that have a result on the benchmark.
        shares: Each score divided by the best, 0 to 1.
        basis: The benchmark; empty where no model has a score.
        newest: The day of the newest score that was compared; `None` where there is none.
        stale: Models with a score that is not used, as they have changed since; each with the day.
    """

    scores: Mapping[str, float]
    shares: Mapping[str, float]
    basis: str
    newest: date | None
    stale: Mapping[str, date]


def relative_quality(domain: Domain, profiles: Sequence[Profile]) -> Quality:
    """Return the models' quality in a domain, compared among `profiles` alone: the allowed ones."""
    by_benchmark: dict[str, dict[str, Score]] = {}
    stale: dict[str, date] = {}
    for profile in profiles:
        for score in profile.scores.get(domain, ()):
            if score.stale_since is None:
                by_benchmark.setdefault(score.benchmark, {})[profile.id] = score
            else:
                stale[profile.id] = score.stale_since
    results = largest_comparison(by_benchmark.values())
    scores = {name: score.score for name, score in results.items()}
    benchmark = next((score.benchmark for score in results.values()), "")
    newest = max((score.date for score in results.values()), default=None)
    return Quality(scores, shares_of(results), benchmark, newest, stale)


_Key = TypeVar("_Key")
_Row = TypeVar("_Row", bound=Score)


def largest_comparison(comparisons: Iterable[Mapping[_Key, _Row]]) -> Mapping[_Key, _Row]:
    """Return the results to compare models by: one benchmark's, the user's own first, then the most, then the newest.

    One benchmark alone: scores of two, even of the same models, cannot be compared with each other.
    """
    return max(comparisons, key=_weight, default={})


def shares_of(results: Mapping[_Key, _Row]) -> dict[_Key, float]:
    """Return each result divided by the best of them, 0 to 1."""
    best = max((score.score for score in results.values()), default=0.0)
    return {name: score.score / best if best else 0.0 for name, score in results.items()}


def _weight(results: Mapping[_Key, Score]) -> tuple[bool, int, date, float]:
    own_count = sum(score.measured for score in results.values())
    # The best score last, so that it is never the order of the profiles that decides.
    newest, best = max((score.date, score.score) for score in results.values())
    return own_count >= _SEVERAL, len(results), newest, best
