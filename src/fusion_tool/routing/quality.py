"""The relative quality of models in a domain: the score divided by the best model's, on one benchmark."""

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import fmean
from typing import NamedTuple

from fusion_tool.routing.classifier.signals import DOMAINS, Domain
from fusion_tool.routing.profiles import Profile, Score

_ENOUGH = 0.5
"""The share of the scored domains in which a model must have a score to be judged by their mean."""
_SEVERAL = 2
"""Number of models from which the user's own measurements stand alone: a single result compares with nothing."""


class Quality(NamedTuple):
    """The worth of models in a domain.

    Args:
        scores: Points of 100 by `Profile.id`, of the models that have a result on the benchmark.
        shares: Each score divided by the best, 0 to 1; or the mean of these over other domains.
        basis: The benchmark, or what stands in for it, for people.
        newest: The day of the newest score that was compared; `None` where there is none.
    """

    scores: Mapping[str, float]
    shares: Mapping[str, float]
    basis: str
    newest: date | None = None


def relative_quality(domain: Domain, profiles: Sequence[Profile]) -> Quality:
    """Return the models' quality in a domain, compared among `profiles` alone: the allowed ones.

    Where none of them has a score in the domain, the mean of their shares in the domains with scores stands in.
    """
    if any(domain in profile.scores for profile in profiles):
        return _on_one_benchmark(domain, profiles)
    # Shares, not points: 80 points are much on one benchmark and little on another.
    others = [
        _on_one_benchmark(other, profiles) for other in DOMAINS if any(other in profile.scores for profile in profiles)
    ]
    shares_of = {
        profile.id: [quality.shares[profile.id] for quality in others if profile.id in quality.shares]
        for profile in profiles
    }
    # A model with few scores would be judged by the domains that its vendor chose to publish.
    shares = {name: fmean(row) for name, row in shares_of.items() if row and len(row) >= _ENOUGH * len(others)}
    newest = max((quality.newest for quality in others if quality.newest), default=None)
    return Quality({}, shares, f"the mean over {len(others)} other domains, as nobody has a score here", newest)


def _on_one_benchmark(domain: Domain, profiles: Sequence[Profile]) -> Quality:
    by_benchmark: dict[str, dict[str, Score]] = {}
    for profile in profiles:
        for score in profile.scores.get(domain, ()):
            by_benchmark.setdefault(score.benchmark, {})[profile.id] = score
    # One benchmark alone: scores of two, even of the same models, cannot be compared with each other.
    benchmark, results = max(by_benchmark.items(), key=lambda item: _weight(item[1]))
    best = max(score.score for score in results.values())
    scores = {name: score.score for name, score in results.items()}
    shares = {name: score / best if best else 0.0 for name, score in scores.items()}
    return Quality(scores, shares, benchmark, max(score.date for score in results.values()))


def _weight(results: Mapping[str, Score]) -> tuple[bool, int]:
    """Return the rank of a benchmark: the user's own measurements of several models first, then the most results."""
    own_count = sum(score.measured for score in results.values())
    return own_count >= _SEVERAL, len(results)
