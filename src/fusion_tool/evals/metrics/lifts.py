"""Lifts: how much of a panel's gain synthesis, diversity and tools bring, each by itself and with its interval.

The split follows the published one (docs/evaluation.md): the same model twice against once is what synthesis alone
brings; a mixed panel against self-fusion at about the same spend is what diversity adds.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TYPE_CHECKING, Literal, TypeAlias

from fusion_tool.evals.report.section import ReportSection
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow
from fusion_tool.evals.statistics import PairedComparison, compare, holm
from fusion_tool.graph.strategies import strategy_named

if TYPE_CHECKING:
    from fusion_tool.evals.summary import ArmSummary

LiftKind: TypeAlias = Literal["synthesis", "diversity", "tools"]

_EQUAL = 1.25
"""Spends whose ratio is below this count as equal."""


@dataclass(frozen=True)
class ArmDesign:
    """The models, tools and synthesizer that an arm is made of.

    Args:
        models: The model of each seat, in any order.
        tools: Whether the seats had tools.
        synthesizer: The model that wrote the answer; `None` for a single seat.
    """

    models: tuple[str, ...]
    tools: bool
    synthesizer: str | None = None

    @property
    def is_mixed(self) -> bool:
        """Whether its seats hold different models."""
        return len(set(self.models)) > 1

    @property
    def is_self_fused(self) -> bool:
        """Whether it has several seats that hold one model."""
        return len(self.models) > 1 and not self.is_mixed


@dataclass(frozen=True)
class ArmScores:
    """One arm's design and scores.

    Args:
        name: The arm's name.
        design: What it is made of.
        scores: Scores by task id, 0 to 1; `None` where a task has none.
        cost_usd: US dollars of an answer; `None` where unknown.
    """

    name: str
    design: ArmDesign
    scores: Mapping[str, float | None]
    cost_usd: float | None = None


@dataclass(frozen=True)
class Lift:
    """One part of a panel's gain.

    Args:
        kind: What the two arms differ by.
        comparison: The arm that has it against the arm that has not.
        spend_ratio: The first arm's cost divided by the second's; `None` where either is unknown.
        caveats: What else they differ by.
    """

    kind: LiftKind
    comparison: PairedComparison
    spend_ratio: float | None
    caveats: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The finding in plain words, with what else the arms differ by."""
        return "; ".join((f"{self.kind} lift: {self.comparison.sentence}", *self.caveats))


def compute(results: Results, rows: Sequence[AnswerRow]) -> ArmDesign | None:
    """Return the design of an arm.

    `None` where there is not one design: a router's seats vary from task to task, and a recording's are unknown.

    Args:
        results: The folder.
        rows: The arm's rows, one for each task.
    """
    record = results.manifest.arms[rows[0].arm] if rows else None
    if record is None or record.config is None or record.kind in ("routed", "replay"):
        return None
    config = record.config
    # A strategy of a single seat asks the panel's first alone, whatever else is configured.
    seats = config["panel"][:1] if strategy_named(config["strategy"]).is_single else config["panel"]
    synthesizer = None if len(seats) == 1 else (config["synthesizer"] or config["judge"] or seats[0])["model"]
    tools = bool(config["search"] or config["documents"] or config["bash"] != "off")
    return ArmDesign(tuple(seat["model"] for seat in seats), tools, synthesizer)


def section(arms: "Sequence[ArmSummary]") -> ReportSection:
    """Return each lift as a sentence."""
    scores = [
        ArmScores(arm.name, arm.metrics["lifts"], arm.task_scores, arm.cost_usd) for arm in arms if arm.metrics["lifts"]
    ]
    return ReportSection("lifts", "Where the gain comes from", sentences=[lift.sentence for lift in lifts(scores)])


def lifts(arms: Sequence[ArmScores]) -> list[Lift]:
    """Return every lift between two of `arms`, p-values corrected for all of them together."""
    # Both orders of each pair: a lift has a direction, and `_kind` knows which of the two arms has more.
    pairs = [(kind, arm, other) for arm, other in permutations(arms, 2) if (kind := _kind(arm.design, other.design))]
    # A panel has several self-fusions to be compared with; only spend that is alike shows what diversity adds.
    pairs = [pair for pair in pairs if pair[0] != "diversity" or pair[2] is _nearest(pair[1], arms)]
    comparisons = holm([compare(arm.name, arm.scores, other.name, other.scores) for _, arm, other in pairs])
    return [
        Lift(kind, comparison, _spend_ratio(arm, other), _caveats(kind, arm, other))
        for (kind, arm, other), comparison in zip(pairs, comparisons, strict=True)
    ]


def _kind(arm: ArmDesign, other: ArmDesign) -> LiftKind | None:
    """Return what `arm` has and `other` has not, where that is one thing alone; `None` elsewhere."""
    # One difference alone: with two, nobody could say which of them brought the gain.
    if sorted(arm.models) == sorted(other.models):
        same_writer = arm.synthesizer == other.synthesizer
        return "tools" if arm.tools and not other.tools and same_writer else None
    if arm.tools != other.tools:
        return None
    if arm.is_self_fused and other.models == arm.models[:1]:
        return "synthesis"
    return "diversity" if arm.is_mixed and other.is_self_fused else None


def _nearest(panel: ArmScores, arms: Iterable[ArmScores]) -> ArmScores:
    """Return the self-fusion whose spend is closest to the panel's; where it is unknown, whose number of seats is."""
    rivals = [arm for arm in arms if _kind(panel.design, arm.design) == "diversity"]

    def distance(arm: ArmScores) -> tuple[bool, float, int]:
        ratio = _spend_ratio(panel, arm)
        spend = abs(math.log(ratio)) if ratio else math.inf  # half the spend is as far off as twice
        # First of all the same writer: another one may explain more of the difference than the seats do.
        other_writer = arm.design.synthesizer != panel.design.synthesizer
        return other_writer, spend, abs(len(arm.design.models) - len(panel.design.models))

    return min(rivals, key=distance)


def _spend_ratio(arm: ArmScores, other: ArmScores) -> float | None:
    return arm.cost_usd / other.cost_usd if arm.cost_usd and other.cost_usd else None


def _caveats(kind: LiftKind, arm: ArmScores, other: ArmScores) -> tuple[str, ...]:
    caveats, ratio = [], _spend_ratio(arm, other)
    if kind == "diversity":
        if ratio is None:
            caveats.append("whether the spend is equal is unknown")
        elif max(ratio, 1 / ratio) > _EQUAL:
            caveats.append(f"the spend is not equal: {arm.name} cost {ratio:.2g} times as much")
        if arm.design.synthesizer != other.design.synthesizer:
            caveats.append("their synthesizers differ")
    synthesizer = arm.design.synthesizer
    if kind == "synthesis" and synthesizer not in (None, *arm.design.models):
        caveats.append(f"the synthesizer, {synthesizer}, is another model than the seats'")
    return tuple(caveats)
