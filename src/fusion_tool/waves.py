"""Which seats a strategy asks in which wave, and when it has enough."""

from collections.abc import Sequence
from typing import NamedTuple

from fusion_tool.analysis import Comparison
from fusion_tool.briefing import Briefing, record_key
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.pricing import cost_of
from fusion_tool.result import Analysis, Contradiction, Stance
from fusion_tool.routing.agreement import Verdict, compare_closed
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


class Standing(NamedTuple):
    """What the answers themselves decide, no judge asked.

    `key` is the answer that stands as it is, where one does; `is_closed` whether they are answers that can be compared
    without a judge; `disputed` what those say that do not agree with it, as an analysis with letters.
    """

    key: str | None
    is_closed: bool = False
    disputed: Analysis | None = None


def standing_answer(question: str, strategy: str, brief: Briefing, *, is_last: bool) -> Standing:
    """The only seat's answer; of closed ones the latest of those that agree or, at last, that of a cascade's reserve.

    Three closed answers that all differ leave a synthesizer nothing to weigh: the reserve was seated to decide.
    """
    records = brief.records
    if strategy == "solo":
        return Standing(record_key(records[0]) if records else None)
    if strategy not in ("cascade", "chain") or not records:
        return Standing(None)
    verdict = compare_closed(question, [record["content"] for record in records])
    group = verdict.groups[0] if verdict.groups else ()
    reserve = [index for index, record in enumerate(records) if record["wave"] > 1]
    if not verdict.closed:
        return Standing(None)
    if len(group) > 1:
        chosen = max(group)
    elif strategy == "cascade" and is_last and len(reserve) == 1:
        chosen = reserve[0]
    else:
        return Standing(None, is_closed=True)
    disputed = None if len(group) == len(records) else _dispute(brief, verdict)
    return Standing(record_key(records[chosen]), is_closed=True, disputed=disputed)


def _dispute(brief: Briefing, verdict: Verdict) -> Analysis:
    """Who says what, where closed answers differ."""
    letter_of = {key: letter for letter, key in brief.letters.items()}
    stances = [
        Stance(model=letter_of[record_key(record)], stance=str(said))
        for record, said in zip(brief.records, verdict.answers, strict=True)
    ]
    return Analysis(
        consensus=[],
        contradictions=[Contradiction(topic="the answer", stances=stances)],
        partial_coverage=[],
        unique_insights=[],
        blind_spots=[],
    )


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
