"""Strategies: who is asked, in which order, at what share of the limits, and when the answers are enough.

Each strategy is a class, and `STRATEGIES` the table of them; whatever differs between strategies is a method here. A
follow-up, which comes after the last wave of any of them, is made in `agents/follow_up.py`.
"""

# ruff: noqa: ARG002 - all strategies have the same signatures
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from fusion_tool.budget.amounts import CallCount, ExpectedCalls
from fusion_tool.budget.ledger import MAX_FOLLOW_UPS, WHOLE_LIMIT, Shares
from fusion_tool.budget.pricing import cost_of
from fusion_tool.config.choices import AUTO, CASCADE, CHAIN, PANEL, SOLO, PlannedStrategy
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.result import Analysis, Contradiction, Stance
from fusion_tool.graph.state import SeatAssignment, SeatRecord, answer_key
from fusion_tool.grounding.closed_answers.compare import Agreement, compare_closed
from fusion_tool.routing.policy.documents import may_read_answers

if TYPE_CHECKING:
    from fusion_tool.graph.agents.answers import PanelAnswers
    from fusion_tool.graph.agents.judge_reply import JudgeReply

ESCALATION = 0.35
"""The share of runs in which a cascade goes beyond its scouts, and a chain from one seat to the next."""
_SCOUTS = 2
"""Seats that a cascade asks first."""
_BEFORE_VERIFIER = 0.9
"""How much of the limits may be gone when the answer is written and a second reader is still to read."""
_TYPICAL = {"input_tokens": 4000, "output_tokens": 1000}
"""Tokens of a seat's call, as far as the order of prices depends on them."""


class EarlyDecision(NamedTuple):
    """What the answers themselves decide, without a judge.

    `key` is the answer that stands as it is, `None` where none does; `is_closed` whether the answers can be compared
    without a model; `disputed` who says what, where an answer stands although they differ.
    """

    key: str | None
    is_closed: bool = False
    disputed: Analysis | None = None


class Strategy:
    """How the seats of a panel work together; the base asks all of them at once."""

    name: ClassVar[PlannedStrategy]
    shares: ClassVar[Shares] = {"panelist": 0.6, "judge": 0.75, "synthesizer": 1.0, "verifier": 1.0}
    """How much of the limits may be gone when a stage ends; the rest is kept back for the stages after it."""
    is_single: ClassVar[bool] = False
    """Whether one seat answers alone, without a judge or a synthesizer."""
    shows_answers: ClassVar[bool] = False
    """Whether a seat of a later wave sees the answers of the earlier ones."""
    _fewest_to_judge: ClassVar[int] = 2
    """Answers that a judge needs between two waves."""
    _synthesis_chance: ClassVar[float] = 1.0

    def waves(self, config: FusionConfig) -> list[list[int]]:
        """Return the seats, as indices into the panel, in the order in which they may be asked."""
        return [list(range(len(config.panel)))]

    def describe(self, labels: Sequence[str], first: int) -> str:
        """Say what the strategy does with the seats called `labels`, of which the `first` few begin."""
        return f"all {len(labels)} configured seats"

    def shares_of(self, config: FusionConfig) -> Shares:
        """Return the shares of a run, of which a second reader has the last part where there is one."""
        if config.verifier is None:
            return self.shares
        return {
            stage: share * (1.0 if stage == "verifier" else _BEFORE_VERIFIER) for stage, share in self.shares.items()
        }

    def roles(self, config: FusionConfig, *, needs_synthesizer: bool = False) -> list[tuple[str, Panelist]]:
        """Return every panelist that may be called, with the field of the configuration that names it.

        Args:
            config: The run's configuration.
            needs_synthesizer: Whether a synthesizer writes even where a seat's answer could stand.
        """
        later = [("judge", config.judge_or_default), ("synthesizer", config.synthesizer_or_default)]
        seats = [(f"panel.{index}", panelist) for index, panelist in enumerate(config.panel)]
        return [*seats, *later, *_verifier_role(config)]

    def max_seats(self, config: FusionConfig) -> int:
        """Return how many answers of seats the panel's share of the limits must do for, at most."""
        return len(config.panel) + (MAX_FOLLOW_UPS if config.follow_up else 0)

    def limit_parts(self, config: FusionConfig) -> float:
        """Return into how many parts the whole limits are divided, of which each seat gets one."""
        return self.max_seats(config) / self.shares_of(config)["panelist"]

    def expected_calls(self, config: FusionConfig) -> ExpectedCalls:
        """Return how often each role is asked, if a wave follows another in `ESCALATION` of the runs."""
        waves, seats = self.waves(config), len(config.panel)
        if seats == 1:
            return ExpectedCalls([CallCount(1.0, 1)], CallCount(0.0, 0), CallCount(1.0, 1))
        # The n-th wave comes only where all before it were not enough, each with the same chance.
        wave_of = {seat: number for number, wave in enumerate(waves) for seat in wave}
        judged = sum(ESCALATION**number for number in range(len(waves)))
        follow_up = ESCALATION ** (len(waves) - 1) if config.follow_up else 0.0  # it comes after the last wave
        again = follow_up * min(MAX_FOLLOW_UPS, seats) / seats
        return ExpectedCalls(
            [CallCount(ESCALATION ** wave_of[seat] + again, 1 + config.follow_up) for seat in range(seats)],
            CallCount(judged + follow_up, len(waves) + config.follow_up),
            CallCount(1.0 if config.instructions else self._synthesis_chance, 1),
        )

    def assignments(
        self, config: FusionConfig, seats: Sequence[int], answers: "PanelAnswers | None" = None
    ) -> list[SeatAssignment]:
        """Assign the whole question to each of `seats`.

        Args:
            config: The run's configuration.
            seats: Indices into the panel.
            answers: Those so far, `None` before the first wave; shown to a seat that may read them.
        """
        if answers is None or not self.shows_answers:
            return [SeatAssignment(seat=seat, point="", shown="") for seat in seats]
        readers = {seat for seat in seats if may_read_answers(config, config.panel[seat], answers.records)}
        shown = answers.unfenced_answers()
        return [SeatAssignment(seat=seat, point="", shown=shown if seat in readers else "") for seat in seats]

    def decide_early(self, question: str, answers: "PanelAnswers", *, is_last: bool) -> EarlyDecision:
        """Decide, where the answers alone can.

        Args:
            question: The run's question.
            answers: The usable ones so far.
            is_last: Whether no wave may follow.
        """
        return EarlyDecision(None)

    def needs_judge(self, answered: int, *, is_closed: bool, is_last: bool) -> bool:
        """Return whether a judge compares `answered` answers; closed ones that differ are left to the next wave."""
        # At the end even closed answers that differ are compared: the synthesizer has to choose among them.
        if is_last:
            return answered > 1
        return not is_closed and answered >= self._fewest_to_judge

    def is_settled(self, reply: "JudgeReply") -> bool:
        """Return whether the judge finds that another answer would change nothing."""
        return reply.settled and not reply.contradictions


class PanelStrategy(Strategy):
    """All seats at once."""

    name = PANEL


class SoloStrategy(Strategy):
    """The first seat alone; its answer stands as it is."""

    name = SOLO
    shares = WHOLE_LIMIT
    is_single = True

    def waves(self, config: FusionConfig) -> list[list[int]]:
        """Return the first seat."""
        return [[0]]

    def describe(self, labels: Sequence[str], first: int) -> str:
        """Say that one seat is asked."""
        return "the first seat alone"

    def roles(self, config: FusionConfig, *, needs_synthesizer: bool = False) -> list[tuple[str, Panelist]]:
        """Return the first seat and, where it is needed, the synthesizer."""
        roles = [("panel.0", config.panel[0]), ("synthesizer", config.synthesizer_or_default)]
        return [*(roles if needs_synthesizer else roles[:1]), *_verifier_role(config)]

    def max_seats(self, config: FusionConfig) -> int:
        """Return one."""
        return 1

    def expected_calls(self, config: FusionConfig) -> ExpectedCalls:
        """Return one call of the first seat, and one of a synthesizer where its answer is to be written anew."""
        writer = CallCount(1.0, 1) if config.instructions else CallCount(0.0, 0)
        return ExpectedCalls([CallCount(1.0, 1)], CallCount(0.0, 0), writer)

    def decide_early(self, question: str, answers: "PanelAnswers", *, is_last: bool) -> EarlyDecision:
        """Let the only answer stand."""
        return EarlyDecision(answer_key(answers.records[0]) if answers.records else None)


class _Escalation(Strategy):
    """Seats in waves: the next wave is asked only where the answers so far are not enough."""

    def decide_early(self, question: str, answers: "PanelAnswers", *, is_last: bool) -> EarlyDecision:
        """Let the latest of the closed answers stand that agree or, at the end, the one that decides."""
        records = answers.records
        comparison = compare_closed(question, [record["content"] for record in records]) if records else None
        if comparison is None or not comparison.closed:
            return EarlyDecision(None)
        largest = comparison.groups[0] if comparison.groups else ()
        # Of those that agree the one that sources carry best; of equals the latest, in a chain the dearest model's.
        carried = [answers.audit_of(record).balance for record in records]
        chosen = self._deciding_answer(records, carried) if is_last else None
        if len(largest) > 1:
            chosen = max(largest, key=lambda index: (carried[index], index))
        if chosen is None:
            return EarlyDecision(None, is_closed=True)
        disputed = None if len(largest) == len(records) else _dispute(answers, comparison)
        return EarlyDecision(answer_key(records[chosen]), is_closed=True, disputed=disputed)

    def _deciding_answer(self, records: Sequence[SeatRecord], carried: Sequence[int]) -> int | None:
        """Return the index of the closed answer that decides where all differ.

        Args:
            records: The seats that answered.
            carried: How much of each answer its sources carry; see `Audit.balance`.
        """
        return None


class CascadeStrategy(_Escalation):
    """The first two seats, and the others only where these disagree."""

    name = CASCADE

    def waves(self, config: FusionConfig) -> list[list[int]]:
        """Return the scouts, then the reserve."""
        seats = list(range(len(config.panel)))
        return [wave for wave in (seats[:_SCOUTS], seats[_SCOUTS:]) if wave]

    def describe(self, labels: Sequence[str], first: int) -> str:
        """Name the scouts and the reserve."""
        if len(labels) <= first:
            return super().describe(labels, first)
        return f"{' and '.join(labels[:first])} first, {', '.join(labels[first:])} only where they disagree"

    def _deciding_answer(self, records: Sequence[SeatRecord], carried: Sequence[int]) -> int | None:
        # Three closed answers that all differ leave a synthesizer nothing to weigh: the reserve was seated to decide.
        # Where sources carry another answer better, what they carry decides.
        reserve = [index for index, record in enumerate(records) if record["wave"] > 1]
        if len(reserve) != 1:
            return None
        return max(range(len(records)), key=lambda index: (carried[index], index in reserve))


class ChainStrategy(_Escalation):
    """One seat after the other, the cheapest first, until an answer is good enough."""

    name = CHAIN
    shows_answers = True
    _fewest_to_judge = 1
    _synthesis_chance = ESCALATION  # the first answer, where it is good enough, stands as it is

    def waves(self, config: FusionConfig) -> list[list[int]]:
        """Return the seats by their price, one a wave; unpriced ones come last."""
        return [[seat] for seat in sorted(range(len(config.panel)), key=lambda seat: _price(config.panel[seat]))]

    def describe(self, labels: Sequence[str], first: int) -> str:
        """Name the seats in their order."""
        return f"{', then '.join(labels)}, until an answer is good enough"

    def is_settled(self, reply: "JudgeReply") -> bool:
        """Return whether the judge finds an answer good enough, disputed or not."""
        return reply.settled


STRATEGIES: Mapping[str, Strategy] = {
    strategy.name: strategy for strategy in (PanelStrategy(), SoloStrategy(), CascadeStrategy(), ChainStrategy())
}


def strategy_named(name: str) -> Strategy:
    """Return the strategy called `name`; `auto`, which is not chosen yet, counts as the whole panel."""
    return STRATEGIES[PANEL if name == AUTO else name]


def _verifier_role(config: FusionConfig) -> list[tuple[str, Panelist]]:
    return [("verify", config.verifier)] if config.verifier else []


def _price(panelist: Panelist) -> tuple[bool, float]:
    cost = cost_of(panelist.model_name, **_TYPICAL)[0]
    return cost is None, cost or 0.0


def _dispute(answers: "PanelAnswers", comparison: Agreement) -> Analysis:
    """Return who says what, where closed answers differ."""
    letter_of = {key: letter for letter, key in answers.letters.items()}
    stances = [
        Stance(model=letter_of[answer_key(record)], stance=str(stance))
        for record, stance in zip(answers.records, comparison.answers, strict=True)
    ]
    dispute = Contradiction(topic="the answer", stances=stances)
    return Analysis(consensus=[], contradictions=[dispute], partial_coverage=[], unique_insights=[], blind_spots=[])
