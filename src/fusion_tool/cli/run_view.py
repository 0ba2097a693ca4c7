"""The state of a run for the terminal: `RunView`, built up from the run's events."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from fusion_tool.events import format_cost, format_duration, format_usd, one_line
from fusion_tool.graph.event_lines import signed_by, tool_outcome, trial_outcome
from fusion_tool.graph.strategies import strategy_named

_WORTH_TELLING = 5.0
"""Seconds that a run must be expected to take before anybody is told."""
_STAGES = ("judge", "synthesizer")
State: TypeAlias = Literal["waiting", "working", "answered", "failed", "done", "skipped"]


@dataclass
class SeatView:
    """One seat, over all its waves.

    Attributes:
        note: Its last tool call, or why it failed.
        started: When its current wave began, in seconds since the run's start; `None` before the first.
        seconds: How long its last wave took; `None` while it works.
        answers: How many answers it has given.
        cost_usd: What these cost together, in US dollars; `None` where one of them has no known cost.
    """

    label: str
    model: str = ""
    state: State = "waiting"
    tools: int = 0
    note: str = ""
    started: float | None = None
    seconds: float | None = None
    answers: int = 0
    cost_usd: float | None = None


@dataclass
class RunView:
    """The seats, the judge and the synthesis of one run.

    Attributes:
        seats: By label, in the order of the plan.
        strategy: The strategy's name; `panel` until the plan is known.
        wave: The number of the current wave, from 1.
        judge: State of the comparison.
        compared: What the comparison found, in a few words; empty before.
        writing: State of the synthesis.
        attempt: Which writer is at work, from 1; 0 before the first.
        characters_written: Length of that writer's text so far.
        writer: That writer's model.
        listeners: Called with each event, after the view has taken it in.
        run_id: The run's id; `None` before its first event.
        expected_seconds: How long the models on the user's own machines will work; `None` where that is not known.
        is_cached: Whether its result came out of the cache.
        result: The result of a run that is complete, as a dict; `None` before.
    """

    seats: dict[str, SeatView] = field(default_factory=dict)
    strategy: str = "panel"
    wave: int = 1
    judge: State = "waiting"
    compared: str = ""
    writing: State = "waiting"
    attempt: int = 0
    characters_written: int = 0
    writer: str = ""
    listeners: list[Callable[[Any], None]] = field(default_factory=list)
    run_id: str | None = None
    expected_seconds: float | None = None
    is_cached: bool = False
    result: dict[str, Any] | None = None
    _origin: float = field(default_factory=time.monotonic)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the run's start."""
        return time.monotonic() - self._origin

    @property
    def expected(self) -> str:
        """About how long the run will take, as text; empty where that is not known, or not worth a word."""
        seconds = self.expected_seconds or 0.0
        return f"about {format_duration(seconds)}" if seconds >= _WORTH_TELLING else ""

    @property
    def active_seats(self) -> list[str]:
        """The labels of the seats and stages that work now."""
        seats = [seat.label for seat in self.seats.values() if seat.state == "working"]
        stages = [("the judge", self.judge), ("the synthesizer", self.writing)]
        return [*seats, *(name for name, state in stages if state == "working")]

    @property
    def spent(self) -> str:
        """What the run has cost, as a clause; of one without a bill as far as it is known."""
        if self.result is not None:
            return format_cost(self.result["usage"]["cost_usd"], self.result["usage"]["unpriced_calls"])
        costs = [seat.cost_usd for seat in self.seats.values() if seat.answers and seat.cost_usd is not None]
        if not costs:
            return "an unknown sum"
        return f"{format_usd(sum(costs))} by {len(costs)} answered seats; other calls are unknown"

    def observe(self, event: Any) -> None:
        """Take one event in, and pass it on to the listeners."""
        # By the run's own clock: a resumed run began in an earlier process, and its `t` counts from there.
        self._origin, self.run_id = time.monotonic() - float(event["t"]), event.get("run_id")
        self._apply(event)
        # Last, since listeners draw the view and must find the event in it.
        for listener in self.listeners:
            listener(event)

    def _apply(self, event: Any) -> None:
        match event["type"]:
            case "plan.chosen":
                self.strategy, self.expected_seconds = event["strategy"], event.get("expected_seconds")
                self.seats = {label: SeatView(label) for label in event["seats"]}
            case "wave.started":
                # A judge that sent the next wave out compares again after it.
                self.wave, self.judge, self.writing = event["wave"], "waiting", "waiting"
            case "panel.closed":
                # A guess until the next event: no event says that closed answers settled the matter without a judge.
                has_judge = strategy_named(self.strategy).needs_judge(event["answered"], is_closed=False, is_last=False)
                self.judge = "working" if has_judge else "skipped"
            case "judge.completed":
                self.judge, self.writing = "done", "working"
                if event["consensus"] is not None:
                    found = f"{event['consensus']} agreed, {event['contradictions']} disputed"
                    self.compared = one_line(found + signed_by(event), 120)
                else:
                    self.compared = "no analysis"
            case "synthesis.delta":
                self._skip_waiting()
                # Another writer begins from nothing: the text of the one that broke off does not count.
                if event["attempt"] != self.attempt:
                    self.attempt, self.characters_written = event["attempt"], 0
                    self.writer = one_line(event.get("model") or "", 64)
                self.writing, self.characters_written = "working", self.characters_written + len(event["text"])
            case "run.completed":
                self._skip_waiting()
                self.result = event["result"]
                self.is_cached = bool(event["result"].get("cached"))
                self.writing = "skipped" if self.is_cached else "done"
            case kind if kind.startswith(("panelist.", "trial.")):
                # The judge's trial is in no seat's row.
                seats = {} if event["seat"] in _STAGES else self.seats
                self._apply_to_seat(seats.setdefault(event["seat"], SeatView(event["seat"])), event)

    def _skip_waiting(self) -> None:
        """Mark as skipped the seats that still wait, and a judge without an event: none of them is called any more."""
        if self.judge != "done":
            self.judge = "skipped"
        for seat in self.seats.values():
            if seat.state == "waiting":
                seat.state = "skipped"

    @staticmethod
    def _apply_to_seat(seat: SeatView, event: Any) -> None:
        match event["type"]:
            case "panelist.started":
                seat.state, seat.model, seat.started = "working", event["model"], event["t"]
                seat.seconds, seat.note = None, ""
            case "trial.started":
                seat.note = "its model is tried, which is done once"
            case "trial.completed":
                seat.note = one_line(trial_outcome(event), 60)
            case "panelist.tool":
                seat.tools += 1
                seat.note = one_line(f"{event['tool']} {event['query']} ({tool_outcome(event)})", 60)
            case "panelist.answered":
                # One unknown cost makes the sum unknown, for good: a partial sum would read as the whole.
                before, cost = seat.cost_usd if seat.answers else 0.0, event["cost_usd"]
                seat.cost_usd = None if before is None or cost is None else before + cost
                seat.state, seat.seconds, seat.answers = "answered", event["seconds"], seat.answers + 1
                seat.model, seat.note = event["model"], ""  # who answered, which may be a fallback
            case "panelist.failed":
                seat.state, seat.seconds = "failed", event["t"] - (seat.started or 0.0)
                seat.note = one_line(f"{event['reason']}: {event['message']}", 120)
