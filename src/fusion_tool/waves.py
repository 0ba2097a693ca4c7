"""Which seats a strategy asks in which wave, and when it has enough."""

from collections.abc import Sequence

from fusion_tool.analysis import Comparison
from fusion_tool.briefing import Briefing, record_key
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.pricing import cost_of
from fusion_tool.routing.agreement import compare_closed
from fusion_tool.routing.readers import may_see
from fusion_tool.state import Ask

_SCOUTS = 2
_TYPICAL = {"input_tokens": 4000, "output_tokens": 1000}
"""A seat's call, as far as the order of prices depends on it."""


def planned_waves(config: FusionConfig) -> list[list[int]]:
    """The seats, as indices into the panel, in the order in which the strategy may ask them."""
    seats = list(range(len(config.panel)))
    match config.strategy:
        case "solo":
            return [seats[:1]]
        case "cascade" if len(seats) > _SCOUTS:
            return [seats[:_SCOUTS], seats[_SCOUTS:]]
        case "chain":
            return [[seat] for seat in sorted(seats, key=lambda seat: _price(config.panel[seat]))]
        case _:
            return [seats]


def in_words(strategy: str, labels: Sequence[str], first: int) -> str:
    """What a strategy does with these seats, of which the `first` few begin."""
    match strategy:
        case "solo":
            return "the first seat alone"
        case "cascade" if len(labels) > first:
            return f"{' and '.join(labels[:first])} first, {', '.join(labels[first:])} only where they disagree"
        case "chain":
            return f"{', then '.join(labels)}, until an answer is good enough"
        case _:
            return f"all {len(labels)} configured seats"


def asks(config: FusionConfig, seats: Sequence[int], brief: Briefing | None = None) -> list[Ask]:
    """The whole question to each of `seats`; a chain's next one sees the answers so far, where it may."""
    asked = [Ask(seat=seat, point="", shown="") for seat in seats]
    if brief is None or config.strategy != "chain":
        return asked
    shown = brief.unfenced_answers()
    return [
        Ask(**{**ask, "shown": shown}) if may_see(config, config.panel[ask["seat"]], brief.records) else ask
        for ask in asked
    ]


def agreed(question: str, strategy: str, brief: Briefing) -> tuple[str | None, bool]:
    """What the answers themselves decide, no judge asked.

    Returns:
        The key of the answer that stands as it is, where there is one: the only seat's, or the latest of those that
        agree. And whether the answers are closed ones, which a wave more can decide and a judge need not.
    """
    keys = [record_key(record) for record in brief.records]
    if strategy == "solo":
        return (keys[0] if keys else None), False
    if strategy not in ("cascade", "chain") or not keys:
        return None, False
    verdict = compare_closed(question, [record["content"] for record in brief.records])
    group = verdict.groups[0] if verdict.closed and verdict.groups else ()
    return (keys[max(group)] if len(group) > 1 else None), verdict.closed


def is_comparable(strategy: str, answered: int, *, is_closed: bool, is_last: bool) -> bool:
    """Whether a judge is asked about `answered` answers; closed ones that differ are left to the next wave."""
    if is_last:
        return answered > 1
    return not is_closed and answered >= (1 if strategy == "chain" else _SCOUTS)


def is_enough(strategy: str, comparison: Comparison) -> bool:
    """Whether the judge finds that another answer would change nothing."""
    return comparison.settled and (strategy == "chain" or not comparison.contradictions)


def _price(seat: Panelist) -> tuple[bool, float]:
    cost = cost_of(seat.model_name, **_TYPICAL)[0]
    return cost is None, cost or 0.0
