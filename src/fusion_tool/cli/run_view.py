"""What is known of a run so far, folded out of its events."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from fusion_tool.events import format_usd, one_line

State: TypeAlias = Literal["waiting", "working", "answered", "failed", "done", "skipped"]


@dataclass
class SeatView:
    """One seat, over all its waves: `note` is its last tool or its failure.

    `seconds` stand once it has ended; `cost_usd` sums its answers so far, `None` where one of them is unknown.
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
    """The seats, the judge and the synthesis; whoever shows them listens.

    Attributes:
        seats: By label, in the order of the plan.
        wave: The one under way.
        judge: State of the comparison, and what came out of it in `compared`.
        writing: State of the synthesis; `attempt` counts its writers, `characters_written` the characters of the last.
        listeners: Called with each event once it is folded in.
        run_id: The run's, `None` before its first event.
    """

    seats: dict[str, SeatView] = field(default_factory=dict)
    strategy: str = "panel"
    wave: int = 1
    judge: State = "waiting"
    compared: str = ""
    writing: State = "waiting"
    attempt: int = 0
    characters_written: int = 0
    listeners: list[Callable[[Any], None]] = field(default_factory=list)
    run_id: str | None = None
    _origin: float = field(default_factory=time.monotonic)

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the run's start."""
        return time.monotonic() - self._origin

    @property
    def active_seats(self) -> list[str]:
        """Who is at work now."""
        seats = [seat.label for seat in self.seats.values() if seat.state == "working"]
        stages = [("the judge", self.judge), ("the synthesizer", self.writing)]
        return [*seats, *(name for name, state in stages if state == "working")]

    @property
    def spent(self) -> str:
        """What is known to be spent while no bill is written yet."""
        answered = [seat for seat in self.seats.values() if seat.answers]
        known = [seat.cost_usd for seat in answered if seat.cost_usd is not None]
        if not known:
            return "spent so far: unknown"
        return f"spent so far: {format_usd(sum(known))} by {len(known)} answered seats; other calls are unknown"

    def observe(self, event: Any) -> None:
        """Fold one event in."""
        self._origin, self.run_id = time.monotonic() - float(event["t"]), event.get("run_id")
        self._fold(event)
        for listener in self.listeners:
            listener(event)

    def _fold(self, event: Any) -> None:
        match event["type"]:
            case "plan.chosen":
                self.strategy = event["strategy"]
                self.seats = {label: SeatView(label) for label in event["seats"]}
            case "wave.started":
                self.wave, self.judge, self.writing = event["wave"], "waiting", "waiting"
            case "panel.closed":
                few = event["answered"] < 2 and self.strategy != "chain"  # noqa: PLR2004 - it takes two to compare
                self.judge = "skipped" if few or not event["answered"] or self.strategy == "solo" else "working"
            case "judge.completed":
                self.judge, self.writing = "done", "working"
                if event["consensus"] is not None:
                    self.compared = f"{event['consensus']} agreed, {event['contradictions']} disputed"
                else:
                    self.compared = "no analysis"
            case "synthesis.delta":
                self._settle()
                if event["attempt"] != self.attempt:
                    self.attempt, self.characters_written = event["attempt"], 0
                self.writing, self.characters_written = "working", self.characters_written + len(event["text"])
            case "run.completed":
                self._settle()
                self.writing = "skipped" if event["result"].get("cached") else "done"
            case kind if kind.startswith("panelist."):
                self._fold_seat(self.seats.setdefault(event["seat"], SeatView(event["seat"])), event)

    def _settle(self) -> None:
        """Nobody else is asked: who still waits was not needed, nor was a judge of whom nothing was heard."""
        if self.judge != "done":
            self.judge = "skipped"
        for seat in self.seats.values():
            if seat.state == "waiting":
                seat.state = "skipped"

    @staticmethod
    def _fold_seat(seat: SeatView, event: Any) -> None:
        match event["type"]:
            case "panelist.started":
                seat.state, seat.model, seat.started = "working", event["model"], event["t"]
                seat.seconds, seat.note = None, ""
            case "panelist.tool":
                seat.tools += 1
                seat.note = one_line(f"{event['tool']} {event['query']} ({event['found']} found)", 60)
            case "panelist.answered":
                before, cost = seat.cost_usd if seat.answers else 0.0, event["cost_usd"]
                seat.cost_usd = None if before is None or cost is None else before + cost
                seat.state, seat.seconds, seat.answers = "answered", event["seconds"], seat.answers + 1
            case "panelist.failed":
                seat.state, seat.seconds = "failed", event["t"] - (seat.started or 0.0)
                seat.note = one_line(f"{event['reason']}: {event['message']}", 120)
