"""Strategies: their waves, their words, their expected calls, when they have enough; the follow-up."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from fusion_tool.budget.ledger import MAX_FOLLOW_UPS
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import PanelAnswers
from fusion_tool.graph.agents.judge import JudgeReply
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Analysis, Contradiction, Stance
from fusion_tool.graph.state import SeatAssignment, answer_key
from fusion_tool.grounding.closed_answers.compare import Agreement, compare_closed
from fusion_tool.routing.policy.documents import may_read_answers

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


def describe_strategy(strategy: str, labels: Sequence[str], first: int) -> str:
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


def seat_assignments(
    config: FusionConfig, seats: Sequence[int], answers: PanelAnswers | None = None
) -> list[SeatAssignment]:
    """The whole question to each of `seats`; a chain's next one sees the answers so far, where it may."""
    asked = [SeatAssignment(seat=seat, point="", shown="") for seat in seats]
    if answers is None or config.strategy != "chain":
        return asked
    shown = answers.unfenced_answers()
    return [
        SeatAssignment(**{**ask, "shown": shown})
        if may_read_answers(config, config.panel[ask["seat"]], answers.records)
        else ask
        for ask in asked
    ]


class EarlyDecision(NamedTuple):
    """What the answers themselves decide, no judge asked.

    `key` is the answer that stands as it is, where one does; `is_closed` whether they are answers that can be compared
    without a judge; `disputed` what those say that do not agree with it, as an analysis with letters.
    """

    key: str | None
    is_closed: bool = False
    disputed: Analysis | None = None


def decide_early(question: str, strategy: str, answers: PanelAnswers, *, is_last: bool) -> EarlyDecision:
    """The only seat's answer; of closed ones the latest of those that agree or, at last, that of a cascade's reserve.

    Three closed answers that all differ leave a synthesizer nothing to weigh: the reserve was seated to decide.
    """
    records = answers.records
    if strategy == "solo":
        return EarlyDecision(answer_key(records[0]) if records else None)
    if strategy not in ("cascade", "chain") or not records:
        return EarlyDecision(None)
    verdict = compare_closed(question, [record["content"] for record in records])
    group = verdict.groups[0] if verdict.groups else ()
    reserve = [index for index, record in enumerate(records) if record["wave"] > 1]
    if not verdict.closed:
        return EarlyDecision(None)
    if len(group) > 1:
        chosen = max(group)
    elif strategy == "cascade" and is_last and len(reserve) == 1:
        chosen = reserve[0]
    else:
        return EarlyDecision(None, is_closed=True)
    disputed = None if len(group) == len(records) else _dispute(answers, verdict)
    return EarlyDecision(answer_key(records[chosen]), is_closed=True, disputed=disputed)


def _dispute(answers: PanelAnswers, verdict: Agreement) -> Analysis:
    """Who says what, where closed answers differ."""
    letter_of = {key: letter for letter, key in answers.letters.items()}
    stances = [
        Stance(model=letter_of[answer_key(record)], stance=str(said))
        for record, said in zip(answers.records, verdict.answers, strict=True)
    ]
    return Analysis(
        consensus=[],
        contradictions=[Contradiction(topic="the answer", stances=stances)],
        partial_coverage=[],
        unique_insights=[],
        blind_spots=[],
    )


def needs_judge(strategy: str, answered: int, *, is_closed: bool, is_last: bool) -> bool:
    """Whether a judge is asked about `answered` answers; closed ones that differ are left to the next wave."""
    if is_last:
        return answered > 1
    return not is_closed and answered >= (1 if strategy == "chain" else _SCOUTS)


def is_settled(strategy: str, comparison: JudgeReply) -> bool:
    """Whether the judge finds that another answer would change nothing."""
    return comparison.settled and (strategy == "chain" or not comparison.contradictions)


def _price(seat: Panelist) -> tuple[bool, float]:
    cost = cost_of(seat.model_name, **_TYPICAL)[0]
    return cost is None, cost or 0.0


ESCALATION = 0.35
"""The share of runs in which a cascade goes beyond its scouts, and a chain from one seat to the next."""
SCOUTS = 2
"""Seats that a cascade asks first."""


class CallCount(NamedTuple):
    """How often one is asked: on average, and at most."""

    expected: float
    maximum: int


class ExpectedCalls(NamedTuple):
    """How often each seat, in the panel's order, the judge and the synthesizer are asked."""

    seats: list[CallCount]
    judge: CallCount
    synthesizer: CallCount


def expected_calls(config: FusionConfig, cheapest_first: list[int]) -> ExpectedCalls:
    """How often the configured strategy asks whom. `auto` counts as the whole panel: the router may choose less.

    Args:
        config: The run's configuration.
        cheapest_first: The seats, as indices into the panel, by their price.
    """
    seats, waves = len(config.panel), 1
    asked, writes = [1.0] * seats, 1.0
    match config.strategy:
        case "solo":
            return ExpectedCalls([CallCount(1, 1)], CallCount(0, 0), CallCount(0, 0))
        case "cascade" if seats > SCOUTS:
            asked, waves = [1.0] * SCOUTS + [ESCALATION] * (seats - SCOUTS), 2
        case "chain":
            asked, waves = [ESCALATION ** cheapest_first.index(seat) for seat in range(seats)], seats
            writes = ESCALATION if seats > 1 else 1.0  # the first answer, where it is good enough, stands as it is
    judged = sum(ESCALATION**wave for wave in range(waves)) if seats > 1 else 0.0
    most = waves if seats > 1 else 0
    if not config.follow_up or seats == 1:
        return ExpectedCalls([CallCount(chance, 1) for chance in asked], CallCount(judged, most), CallCount(writes, 1))
    last = ESCALATION ** (waves - 1)
    again = last * min(MAX_FOLLOW_UPS, seats) / seats
    return ExpectedCalls(
        [CallCount(chance + again, 2) for chance in asked], CallCount(judged + last, most + 1), CallCount(writes, 1)
    )


def follow_up_assignments(analysis: Analysis, answers: PanelAnswers, seats: Sequence[int]) -> list[SeatAssignment]:
    """One pointed question for each of up to three seats; empty where nothing is disputed or missing.

    A dispute goes to a seat without a stance in it, where there is one, and names every stance: nobody counts votes.

    Args:
        analysis: The judge's, with letters.
        answers: What it was made from.
        seats: Indices into the panel of those that may be asked.
    """
    free, asked = list(seats), list[SeatAssignment]()
    for point, involved in _points(analysis, answers):
        if not free or len(asked) == MAX_FOLLOW_UPS:
            break
        seat = next((seat for seat in free if seat not in involved), free[0])
        free.remove(seat)
        asked.append(SeatAssignment(seat=seat, point=point, shown=""))
    return asked


def _points(analysis: Analysis, answers: PanelAnswers) -> Iterator[tuple[str, set[int]]]:
    """Each point, and the seats that took a stance on it: disputes, then gaps."""
    seat_of = answers.seats
    for dispute in analysis.contradictions:
        stances = "\n".join(f"- {stance.stance}" for stance in dispute.stances)
        involved = {seat_of[stance.model] for stance in dispute.stances if stance.model in seat_of}
        yield render("follow_up_dispute", topic=dispute.topic, stances=stances), involved
    for spot in analysis.blind_spots:
        yield render("follow_up_gap", spot=spot), set()
