"""Strategies: their waves, their words, their expected calls, when they have enough; the follow-up."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fusion_tool.budget.ledger import MOST_ASKS
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import Briefing
from fusion_tool.graph.agents.judge import Comparison
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Analysis, Contradiction, Stance
from fusion_tool.graph.state import Ask, record_key
from fusion_tool.grounding.closed_answers.compare import Verdict, compare_closed
from fusion_tool.routing.policy.documents import may_see

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


ESCALATION = 0.35
"""The share of runs in which a cascade goes beyond its scouts, and a chain from one seat to the next."""
SCOUTS = 2
"""Seats that a cascade asks first."""


class Times(NamedTuple):
    """How often one is asked: on average, and at most."""

    expected: float
    most: int


class Chances(NamedTuple):
    """How often each seat, in the panel's order, the judge and the synthesizer are asked."""

    seats: list[Times]
    judge: Times
    synthesizer: Times


def chances(config: FusionConfig, cheapest_first: list[int]) -> Chances:
    """How often the configured strategy asks whom. `auto` counts as the whole panel: the router may choose less.

    Args:
        config: The run's configuration.
        cheapest_first: The seats, as indices into the panel, by their price.
    """
    seats, waves = len(config.panel), 1
    asked, writes = [1.0] * seats, 1.0
    match config.strategy:
        case "solo":
            return Chances([Times(1, 1)], Times(0, 0), Times(0, 0))
        case "cascade" if seats > SCOUTS:
            asked, waves = [1.0] * SCOUTS + [ESCALATION] * (seats - SCOUTS), 2
        case "chain":
            asked, waves = [ESCALATION ** cheapest_first.index(seat) for seat in range(seats)], seats
            writes = ESCALATION if seats > 1 else 1.0  # the first answer, where it is good enough, stands as it is
    judged = sum(ESCALATION**wave for wave in range(waves)) if seats > 1 else 0.0
    most = waves if seats > 1 else 0
    if not config.follow_up or seats == 1:
        return Chances([Times(one, 1) for one in asked], Times(judged, most), Times(writes, 1))
    last = ESCALATION ** (waves - 1)
    again = last * min(MOST_ASKS, seats) / seats
    return Chances([Times(one + again, 2) for one in asked], Times(judged + last, most + 1), Times(writes, 1))


def follow_up_asks(analysis: Analysis, brief: Briefing, seats: Sequence[int]) -> list[Ask]:
    """One pointed question for each of up to three seats; empty where nothing is disputed or missing.

    A dispute goes to a seat without a stance in it, where there is one, and names every stance: nobody counts votes.

    Args:
        analysis: The judge's, with letters.
        brief: What it was made from.
        seats: Indices into the panel of those that may be asked.
    """
    free, asked = list(seats), list[Ask]()
    for point, involved in _points(analysis, brief):
        if not free or len(asked) == MOST_ASKS:
            break
        seat = next((one for one in free if one not in involved), free[0])
        free.remove(seat)
        asked.append(Ask(seat=seat, point=point, shown=""))
    return asked


def _points(analysis: Analysis, brief: Briefing) -> Iterator[tuple[str, set[int]]]:
    """Each point, and the seats that took a stance on it: disputes, then gaps."""
    seat_of = brief.seats
    for dispute in analysis.contradictions:
        stances = "\n".join(f"- {stance.stance}" for stance in dispute.stances)
        involved = {seat_of[stance.model] for stance in dispute.stances if stance.model in seat_of}
        yield render("follow_up_dispute", topic=dispute.topic, stances=stances), involved
    for spot in analysis.blind_spots:
        yield render("follow_up_gap", spot=spot), set()
