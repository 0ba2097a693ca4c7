"""`choose`: the cheapest good-enough models and their strategy, with the reason."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from fusion_tool.budget.amounts import sum_known
from fusion_tool.budget.pricing import price_name
from fusion_tool.config import choices
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.routing.ages import OLD
from fusion_tool.routing.candidates import (
    Candidate,
    CandidateSet,
    RejectionRule,
    comparison_usd,
    configured_models,
    find_candidates,
    has_own_endpoint,
    seat_usd,
)
from fusion_tool.routing.casts import Cast, cast_roles
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.classifier.signals import Signals
from fusion_tool.routing.explanation import (
    domain_label,
    explain_choice,
    nearest_plan,
    no_candidate_error,
    shortfall,
)
from fusion_tool.routing.profiles import Profile

SURE = 0.5
"""The confidence from which the domain is trusted."""
_SCOUT = 0.9
"""The share of the configured quality that a scout must have: where the two disagree, the strong model decides."""
_FALLBACKS = 2
"""Models behind each seat, of other families, so that no single vendor's loss fails a run."""


@dataclass(frozen=True)
class Choice:
    """The router's decision.

    Args:
        strategy: How the seats work.
        panel: The seats; a cascade's first two are its scouts.
        judge: The judge, `None` for the configured one.
        synthesizer: The synthesizer, `None` for the configured one.
        reason: Why, in a sentence or two.
        signals: The signals of the question.
        candidates: The models that were considered, the fit ones first by price.
        usd: Expected US dollars of the run if every seat is called, `None` where unknown.
    """

    strategy: choices.PlannedStrategy
    panel: tuple[Panelist, ...]
    judge: Panelist | None
    synthesizer: Panelist | None
    reason: str
    signals: Signals
    candidates: tuple[Candidate, ...]
    usd: float | None


def choose(  # noqa: PLR0913 - what a decision rests on is handed over, so that it stays pure
    question: str,
    context: str,
    config: FusionConfig,
    *,
    profiles: Mapping[str, Profile],
    today: date,
    signals: Signals | None = None,
    rejection_of: RejectionRule = lambda _: None,
    unavailable: Collection[str] = frozenset(),
    nearest: bool = False,
) -> Choice:
    """Choose strategy and models for a question, without calling any.

    Args:
        question: The question.
        context: What is already known.
        config: `quality`, the limits, and the panel for questions that the router is not sure of; its models are those
            that may be asked.
        profiles: What is known of models, as `load_profiles` gives it.
        today: The day of the run; a withdrawn model is not chosen.
        signals: The signals of the question; by default those of `classify`.
        rejection_of: Returns why a model may not be called, `None` where it may.
        unavailable: Models that do not answer at present.
        nearest: Whether to return the plan that comes nearest, instead of raising, where none meets the limits.

    Raises:
        ConfigError: No model meets the limits; `field` names the one that binds.
    """
    signals = signals or classify(question, context)
    question_bytes = len((question + context).encode(errors="replace"))
    field = find_candidates(
        signals.domain,
        config,
        profiles=profiles,
        rejection_of=rejection_of,
        unavailable=unavailable,
        today=today,
        question_bytes=question_bytes,
    )

    def cast(panel_config: FusionConfig) -> Cast:
        return cast_roles(
            panel_config, profiles=profiles, rejection_of=rejection_of, unavailable=unavailable, today=today
        )

    planner = _Planner(config, signals, field, question_bytes, today, cast=cast)
    # Where nothing is known, of the question or of the models, the user's own panel is the best guess.
    if signals.confidence < SURE:
        return planner.configured_panel(f"not sure what kind of question this is ({signals.confidence:.2f})")
    if not field.eligible:
        return planner.configured_panel(f"no allowed model has a known score for {domain_label(signals.domain)}")
    # What was measured long ago says little of the models of today, and a panel of several is no bet on one score.
    if (age := _score_age(field, today)) is not None and age > OLD:
        return planner.configured_panel(f"the scores for {domain_label(signals.domain)} are too old to choose by")
    if field.fit:
        return planner.plan(field.fit, shortfall(field, config))
    if not nearest:
        raise no_candidate_error(field, config, domain_label(signals.domain))
    return planner.plan(*nearest_plan(field, config))


class _Planner:
    """The plans that one choice may become, with what they are made from."""

    def __init__(  # noqa: PLR0913 - as for `choose`
        self,
        config: FusionConfig,
        signals: Signals,
        field: CandidateSet,
        question_bytes: int,
        today: date,
        *,
        cast: Callable[[FusionConfig], Cast],
    ) -> None:
        self._config = config
        self._cast = cast
        self._age = _score_age(field, today)
        self._configured = configured_models(config)
        self._signals = signals
        self._field = field
        self._question_bytes = question_bytes

    @property
    def _told_age(self) -> str:
        """How old the scores are that the question's domain has, and which are not used, for people."""
        told = f"the newest score compared is {self._age.days} days old" if self._age is not None else ""
        told = told or "no allowed model has a score that could be compared"
        stale = [f"{name} (since {day})" for name, day in self._field.stale.items()]
        return f"{told}; not used, as the models have changed: scores of {', '.join(stale)}" if stale else told

    def configured_panel(self, doubt: str) -> Choice:
        """Plan with the configured panel."""
        panel = self._config.panel
        judge, writer, cast = self._comparers((), choices.PANEL, panel)
        usd = self._usd(panel, judge, writer)
        reason = f"{doubt}: all {len(panel)} configured seats; {'; '.join(filter(None, (self._told_age, cast)))}"
        return Choice(choices.PANEL, panel, judge, writer, reason, self._signals, self._field.candidates, usd)

    def plan(self, fit: Sequence[Candidate], note: str) -> Choice:
        """Return the first plan within the price, from the one that the question asks for down to a single seat."""
        limit = self._config.limits.usd
        for strategy, seats in self._shapes(fit):
            panel = tuple(self._seat(seat, seats, fit) for seat in seats)
            # A single seat's answer is the run's: nobody compares, and no judge or writer is paid.
            is_solo = strategy == choices.SOLO
            judge, writer, cast = (None, None, None) if is_solo else self._comparers(fit, strategy, panel)
            usd = seats[0].usd if is_solo else self._usd(panel, judge, writer)
            if is_solo or limit is None or (usd is not None and usd <= limit):
                break
            note += f"A {strategy} of {len(seats)} would pass limits.usd. "
        reason = explain_choice(
            strategy, seats, self._signals, basis=self._field.basis, quality=self._config.quality, usd=usd
        )
        told = "; ".join(filter(None, (self._told_age, cast)))
        reason = f"{note}{reason} {told[0].upper()}{told[1:]}."
        return Choice(strategy, panel, judge, writer, reason, self._signals, self._field.candidates, usd)

    def _shapes(self, fit: Sequence[Candidate]) -> Iterable[tuple[choices.PlannedStrategy, list[Candidate]]]:
        """Yield strategies with their seats, the one that suits the question first, each cheaper than the one before.

        Closed answers can be compared without a model, so that two scouts who agree are enough; open ones of hard,
        contested or broad questions are worth several views.
        """
        signals = self._signals
        # Whoever is held to the configured models is held to as many seats, too.
        most = len(self._config.panel) if self._config.candidates == "configured" else choices.MOST_ROUTED_SEATS
        if (
            signals.closed
            and signals.difficulty == "hard"
            and len(seats := self._cascade(fit)) == choices.MOST_ROUTED_SEATS <= most
        ):
            yield choices.CASCADE, seats
        elif not signals.closed and (signals.difficulty == "hard" or signals.deep):
            families = _first_of_each_family(fit)[: min(most, choices.MOST_ROUTED_SEATS)]
            for size in range(len(families), 1, -1):
                yield choices.PANEL, families[:size]
        yield choices.SOLO, [fit[0]]

    def _cascade(self, fit: Sequence[Candidate]) -> list[Candidate]:
        """Return two cheap scouts of different families, and the best model behind them."""
        best = max(fit, key=lambda candidate: (candidate.quality or 0, -(candidate.usd or 0)))
        enough = _SCOUT * self._field.enough
        scouts = [
            candidate
            for candidate in self._field.eligible
            if candidate.limit in (None, "quality") and (candidate.quality or 0) >= enough
        ]
        # None of the best model's family: models of one family tend to make the same errors.
        return [*_first_of_each_family(scout for scout in scouts if scout.family != best.family)[:2], best]

    def _seat(self, candidate: Candidate, seats: Sequence[Candidate], fit: Sequence[Candidate]) -> Panelist:
        """Return `candidate` as a panelist, with the configured settings of that model and fallbacks behind it.

        The fallbacks are of other families: first those that are good enough, cheapest first, then the best others.
        """
        rest = sorted(
            (other for other in self._field.eligible if other not in fit), key=lambda other: -(other.quality or 0)
        )
        others = _first_of_each_family(
            other for other in self._by_name((*fit, *rest)) if other.family != candidate.family
        )
        seated = {seat.model for seat in seats}
        others.sort(key=lambda other: other.model in seated)  # two seats with one model are one view
        fallbacks = tuple(other.model for other in others[:_FALLBACKS])
        panelist = self._configured.get(candidate.model) or Panelist(model=candidate.model)
        return panelist.model_copy(update={"fallbacks": fallbacks})

    def _by_name(self, models: Iterable[Candidate]) -> Iterable[Candidate]:
        """Return those that their bare name reaches: a fallback is a name, without an endpoint or key of its own."""
        return (
            model
            for model in models
            if (panelist := self._configured.get(model.model)) is None or not has_own_endpoint(panelist)
        )

    def _comparers(
        self, fit: Sequence[Candidate], strategy: choices.PlannedStrategy, panel: tuple[Panelist, ...]
    ) -> tuple[Panelist | None, Panelist | None, str | None]:
        """Return judge and synthesizer, `None` where one is configured, and why these; `None` where nothing is known.

        Then, of those that are `fit`, the best writes and the best of another family judges, if there is one.
        """
        # A configured judge also writes where no synthesizer is configured, as in a run without a router.
        if self._config.judge is not None:
            return None, None, None
        cast = self._cast(self._config.model_copy(update={"strategy": strategy, "panel": panel}))
        judge, writer = cast.config.judge, cast.config.synthesizer
        if judge is None and fit:
            ranked = sorted(fit, key=lambda candidate: -(candidate.quality or 0))
            best = ranked[0]
            other = next((one for one in ranked if one.family != best.family), best)
            judge, writer = self._seat(other, [other], fit), self._seat(best, [best], fit)
        return judge, None if self._config.synthesizer else writer, cast.reason

    def _usd(self, panel: Sequence[Panelist], judge: Panelist | None, writer: Panelist | None) -> float | None:
        """Return US dollars that the seats and the comparison of their answers are expected to cost."""
        config = self._config
        compares = price_name(judge or config.judge_or_default)
        writes = price_name(writer or config.synthesizer_or_default)
        comparison = comparison_usd(compares, writes, self._question_bytes, len(panel))
        seats = (seat_usd(price_name(seat), config, self._question_bytes) for seat in panel)
        return sum_known([*seats, comparison])


def _score_age(field: CandidateSet, today: date) -> timedelta | None:
    """Return how old the newest score is that the candidates are compared by; `None` where there is none."""
    # A vendor's clock may be ahead of ours.
    return None if field.newest is None else max(today - field.newest, timedelta())


def _first_of_each_family(models: Iterable[Candidate]) -> list[Candidate]:
    """Return the first model of each family: models of one family tend to err alike."""
    first: dict[str, Candidate] = {}
    for model in models:
        first.setdefault(model.family, model)
    return list(first.values())
