"""Where a panel's gain comes from: synthesis, diversity, tools; each told apart from the others, with its interval.

The split follows the published one (docs/evaluation.md): the same model twice against once is what synthesis alone
brings; a mixed panel against self-fusion at about the same spend is what diversity adds.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Literal, TypeAlias

from fusion_tool.evals.statistics import PairedComparison, compare, holm

Kind: TypeAlias = Literal["synthesis", "diversity", "tools"]

_EQUAL = 1.25
"""Spends whose ratio is below this count as equal."""


@dataclass(frozen=True)
class ArmScores:
    """One arm's scores, and what tells it from the others.

    Args:
        name: Of the arm.
        models: One model a seat, in any order.
        tools: Whether the seats had tools.
        scores: By task id, 0 to 1; `None` where a task has none.
        cost_usd: What all its answers cost; `None` where unknown.
        synthesizer: The model that wrote the answer; `None` for a single seat.
    """

    name: str
    models: tuple[str, ...]
    tools: bool
    scores: Mapping[str, float | None]
    cost_usd: float | None = None
    synthesizer: str | None = None

    @property
    def is_mixed(self) -> bool:
        """Its seats hold different models."""
        return len(set(self.models)) > 1

    @property
    def is_self_fused(self) -> bool:
        """Its seats, several, hold one model."""
        return len(self.models) > 1 and not self.is_mixed


@dataclass(frozen=True)
class Lift:
    """One part of a panel's gain.

    Args:
        kind: What the two arms differ by.
        comparison: The arm that has it against the one that has not.
        spend_ratio: What the first cost, in units of the second; `None` where either is unknown.
        caveats: What else they differ by.
    """

    kind: Kind
    comparison: PairedComparison
    spend_ratio: float | None
    caveats: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The finding in plain words, with what else the arms differ by."""
        return "; ".join((f"{self.kind} lift: {self.comparison.sentence}", *self.caveats))


def lifts(arms: Iterable[ArmScores]) -> list[Lift]:
    """Every lift that `arms` show, p-values corrected for all of them together."""
    known = list(arms)
    pairs = [(kind, arm, other) for arm, other in permutations(known, 2) if (kind := _kind(arm, other))]
    pairs = [pair for pair in pairs if pair[0] != "diversity" or pair[2] is _nearest(pair[1], known)]
    compared = holm([compare(arm.name, arm.scores, other.name, other.scores) for _, arm, other in pairs])
    return [
        Lift(kind, comparison, _ratio(pair, other), _caveats(kind, pair, other))
        for (kind, pair, other), comparison in zip(pairs, compared, strict=True)
    ]


def _kind(arm: ArmScores, other: ArmScores) -> Kind | None:
    """What `arm` has and `other` has not, where that is one thing alone."""
    if sorted(arm.models) == sorted(other.models):
        same_writer = arm.synthesizer == other.synthesizer
        return "tools" if arm.tools and not other.tools and same_writer else None
    if arm.tools != other.tools:
        return None
    if arm.is_self_fused and other.models == arm.models[:1]:
        return "synthesis"
    return "diversity" if arm.is_mixed and other.is_self_fused else None


def _nearest(panel: ArmScores, arms: Iterable[ArmScores]) -> ArmScores:
    """The self-fusion whose spend is closest to the panel's; of unknown spend, the one with most seats alike."""
    rivals = [arm for arm in arms if _kind(panel, arm) == "diversity"]

    def distance(arm: ArmScores) -> tuple[bool, float, int]:
        ratio = _ratio(panel, arm)
        apart = abs(math.log(ratio)) if ratio else math.inf
        return arm.synthesizer != panel.synthesizer, apart, abs(len(arm.models) - len(panel.models))

    return min(rivals, key=distance)


def _ratio(arm: ArmScores, other: ArmScores) -> float | None:
    return arm.cost_usd / other.cost_usd if arm.cost_usd and other.cost_usd else None


def _caveats(kind: Kind, arm: ArmScores, other: ArmScores) -> tuple[str, ...]:
    caveats, ratio = [], _ratio(arm, other)
    if kind == "diversity":
        if ratio is None:
            caveats.append("whether the spend is equal is unknown")
        elif max(ratio, 1 / ratio) > _EQUAL:
            caveats.append(f"the spend is not equal: {arm.name} cost {ratio:.2g} times as much")
        if arm.synthesizer != other.synthesizer:
            caveats.append("their synthesizers differ")
    if kind == "synthesis" and arm.synthesizer not in (None, *arm.models):
        caveats.append(f"the synthesizer, {arm.synthesizer}, is another model than the seats'")
    return tuple(caveats)
