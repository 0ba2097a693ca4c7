"""Who worked when: out of the run's events where all were seen, else put together from durations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fusion_tool.report.picture import Lane, Mark
from fusion_tool.report.words import REASONS, counted, seconds, short
from fusion_tool.result import FusionResult

JUDGE, SYNTHESIS = "judge", "synthesis"


def is_whole(events: Sequence[Any]) -> bool:
    """Whether `events` tell when each seat that ended began: those of a resumed run or a stored result do not."""
    began = {event["seat"] for event in events if event["type"] == "panelist.started"}
    ended = {event["seat"] for event in events if event["type"] in ("panelist.answered", "panelist.failed")}
    return bool(began) and ended <= began


@dataclass
class Watched:
    """The timeline of a run whose events were seen, folded out of them one by one."""

    _bars: dict[str, list[Mark]] = field(default_factory=dict)
    _dots: dict[str, list[Mark]] = field(default_factory=dict)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _attempt: int = 0

    @classmethod
    def lanes(cls, events: Sequence[Any]) -> list[Lane]:
        """A lane a seat, and one each for judge and synthesis where they worked."""
        watched = cls()
        for event in events:
            watched._fold(event)
        lasting = {who: [*bars, *watched._dots.get(who, ())] for who, bars in watched._bars.items()}
        stages = [who for who in (JUDGE, SYNTHESIS) if lasting.get(who)]
        seats = [who for who in lasting if who not in (JUDGE, SYNTHESIS)]
        return [Lane(who, watched._note(who), lasting[who]) for who in (*seats, *stages)]

    def _fold(self, event: Any) -> None:
        at = float(event["t"])
        match event["type"]:
            case "plan.chosen":
                self._bars |= {seat: [] for seat in event["seats"]}
            case "panelist.started":
                self._began[event["seat"]] = at
            case "panelist.tool":
                told = f"{seconds(at)}: {event['tool']} {short(event['query'], 120)}, {event['found']} found"
                self._dots.setdefault(event["seat"], []).append(Mark(at, at, "tool", told))
            case "panelist.answered":
                self._end(event["seat"], at, "answered", f"answered in {seconds(event['seconds'])}")
            case "panelist.failed":
                is_late = event["reason"] == "straggler"
                why = "cut off" if is_late else REASONS.get(event["reason"], event["reason"])
                self._end(event["seat"], at, "cut" if is_late else "failed", f"{why} at {seconds(at)}")
            case "panel.closed":
                self._began[JUDGE] = self._began[SYNTHESIS] = at
            case "judge.completed":
                self._end(JUDGE, at, "judge", f"compared in {seconds(at - self._began.get(JUDGE, at))}")
                self._began[SYNTHESIS] = at
            case "synthesis.delta" if event["attempt"] != self._attempt:
                self._attempt = event["attempt"]
                told = f"{seconds(at)}: begins to write" + (" anew" if self._attempt > 1 else "")
                self._dots.setdefault(SYNTHESIS, []).append(Mark(at, at, "tool", told))
            case "run.completed" if event["result"]["timing"]["synthesis_seconds"] is not None:
                took = at - self._began.get(SYNTHESIS, at)
                self._end(SYNTHESIS, at, "synthesis", f"written in {seconds(took)}")

    def _note(self, who: str) -> str:
        return ", ".join(self._notes.get(who, ["not ended" if who in self._began else "not asked"]))

    def _end(self, who: str, at: float, kind: str, told: str) -> None:
        start = min(at, self._began.get(who, at))
        self._bars.setdefault(who, []).append(Mark(start, max(at, start + 1e-3), kind, told))
        self._notes.setdefault(who, []).append(told)


def from_durations(result: FusionResult) -> list[Lane]:
    """The lanes of a run that nobody watched: its waves one after the other, then judge and synthesis."""
    bars: dict[str, list[Mark]] = {seat: [] for seat in result.plan.seats}
    notes: dict[str, list[str]] = {}
    at = 0.0
    for wave in sorted({given.wave for given in result.responses}):
        of_wave = [given for given in result.responses if given.wave == wave]
        for given in of_wave:
            told = f"answered in {seconds(given.seconds)}, {counted(given.tool_calls, 'tool call')}"
            bars.setdefault(given.seat, []).append(Mark(at, at + given.seconds, "answered", told))
            notes.setdefault(given.seat, []).append(told)
        at += max(given.seconds for given in of_wave)
    for failed in result.failed_models:
        notes.setdefault(failed.seat, []).append(REASONS[failed.reason])
    lanes = [Lane(seat, ", ".join(notes.get(seat, ["not asked"])), marks) for seat, marks in bars.items()]
    at = max(at, result.timing.panel_seconds or 0.0)
    for name, took in ((JUDGE, result.timing.judge_seconds), (SYNTHESIS, result.timing.synthesis_seconds)):
        if took is not None:
            lanes.append(Lane(name, f"took {seconds(took)}", [Mark(at, at + took, name, f"took {seconds(took)}")]))
            at += took
    return lanes
