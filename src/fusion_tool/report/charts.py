"""Lanes over an axis as SVG: drawing them (`draw_lanes`), the lanes of a timeline, the lanes of a bill.

Colours come from the style sheet, by class, so that the picture follows light and dark. It is drawn twice, for a wide
page and for a phone, since text in a scaled picture cannot be read; the style sheet shows one of the two.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.events import format_seconds, one_line
from fusion_tool.graph.event_lines import tool_outcome
from fusion_tool.graph.result import FusionResult
from fusion_tool.report.labels import REASONS, STAGES, count, count_of, dollars
from fusion_tool.report.text_width import REGULAR, cut_to_width, text_width

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTHS = {"wide": 760, "narrow": 380}
_LANE, _BAR, _DOT = 52, 14, 5
_PADDING, _GAP = 24, 8


@dataclass(frozen=True)
class Mark:
    """A mark on a lane: a bar, or a dot where `start` and `end` are the same.

    Args:
        start: In the axis's unit.
        end: In the axis's unit.
        kind: Its class in the style sheet.
        text: Its tooltip.
    """

    start: float
    end: float
    kind: str
    text: str


@dataclass(frozen=True)
class Lane:
    """A row of a picture: its name, a note beside the name, and its marks, the later ones on top."""

    label: str
    note: str
    marks: Sequence[Mark] = ()


def draw_lanes(title: str, lanes: Sequence[Lane], tick: Callable[[float], str]) -> "Markup":
    """Draw `lanes`, top down, from 0 to the last mark's end.

    Args:
        title: The subject of the picture; a screen reader says it with the lanes' labels and notes.
        lanes: At least one, with at least one mark that ends above 0.
        tick: Returns the text of a value on the axis.
    """
    from markupsafe import Markup

    # Safe as it is: the element tree has escaped every text.
    pictures = (_draw(title, lanes, tick, size, width) for size, width in _WIDTHS.items())
    return Markup('<div class="picture">{}</div>').format(Markup("").join(map(Markup, pictures)))


def _draw(title: str, lanes: Sequence[Lane], tick: Callable[[float], str], size: str, width: int) -> str:
    from leather import Axis, Chart, Linear, Ordinal, Series, theme

    # Places and not labels: two lanes may have the same name, and leather gives one interval to each key.
    keys = [str(place) for place in range(len(lanes))]
    end = max(mark.end for lane in lanes for mark in lane.marks)
    margin = width * theme.margin
    inner = len(lanes) * _LANE + theme.tick_font_char_height + 2 * theme.tick_size
    chart = Chart()
    chart.set_x_scale(Linear(0, end))
    chart.set_y_scale(Ordinal(keys[::-1]))  # leather counts from the bottom
    chart.set_x_axis(Axis(tick_formatter=lambda value, *_: tick(float(value))))
    chart.set_y_axis(Axis(tick_formatter=lambda *_: ""))
    chart.add_series(Series([(0, key) for key in keys]), _Lanes(lanes))
    root = ET.Element(
        "svg",
        {
            "class": size,
            "role": "img",
            "aria-label": f"{title}. {'; '.join(f'{lane.label}: {lane.note}' for lane in lanes)}",
            "viewBox": f"{margin - _PADDING:g} {margin:g} {width - 2 * (margin - _PADDING):g} {inner + _PADDING:g}",
        },
    )
    # The group alone: leather's own SVG has a fixed size. The view box cuts off most of the group's margin.
    root.append(chart.to_svg_group(width, inner + 2 * margin))
    return ET.tostring(root, encoding="unicode")


class _Lanes:
    """A shape of leather's (it has an interface and no class for them) that draws a series as lanes."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes

    def validate_series(self, series: Any) -> None:
        """Accept any series of places."""

    def to_svg(self, width: float, height: float, x: Any, y: Any, series: Any, _palette: Any) -> ET.Element:
        """Return one group for each lane: its words above its bar."""
        root = ET.Element("g", {"class": "lanes"})
        for lane, place in zip(self._lanes, series.data(), strict=True):
            _, top = y.project_interval(place.y, height, 0)
            root.append(_lane(lane, float(top), width, lambda value: float(x.project(value, 0, width))))
        return root


def _lane(lane: Lane, top: float, width: float, at: Callable[[float], float]) -> ET.Element:
    group = ET.Element("g", {"class": "lane"})
    # The label gets what the note leaves, but at least half of the line; the note what is left of it.
    name, said = one_line(lane.label), one_line(lane.note)
    label = ET.SubElement(group, "text", {"class": "label", "x": "0", "y": f"{top + 12:.1f}"})
    words = ET.SubElement(label, "tspan")
    words.text = cut_to_width(name, max(width / 2, width - _GAP - text_width(said) * REGULAR))
    note = ET.SubElement(label, "tspan", {"class": "note", "dx": f"{_GAP}"})
    note.text = cut_to_width(said, (width - _GAP - text_width(words.text)) / REGULAR)
    middle = top + 20 + _BAR / 2
    ET.SubElement(group, "line", _texts({"class": "track", "x1": 0, "x2": width, "y1": middle, "y2": middle}))
    for mark in lane.marks:
        group.append(_mark(mark, middle, at))
    return group


def _mark(mark: Mark, middle: float, at: Callable[[float], float]) -> ET.Element:
    start, end = at(mark.start), at(mark.end)
    if mark.start == mark.end:
        shape = ET.Element("circle", _texts({"class": f"mark {mark.kind}", "cx": start, "cy": middle, "r": _DOT}))
    else:
        box = {"x": start, "y": middle - _BAR / 2, "width": max(1.0, end - start), "height": _BAR, "rx": 3}
        shape = ET.Element("rect", _texts({"class": f"mark {mark.kind}", **box}))
    ET.SubElement(shape, "title").text = mark.text  # a tooltip without a script
    return shape


def _texts(attributes: dict[str, Any]) -> dict[str, str]:
    return {name: f"{value:.1f}" if isinstance(value, float) else str(value) for name, value in attributes.items()}


JUDGE, SYNTHESIS = "judge", "synthesis"


def has_all_starts(events: Sequence[Any]) -> bool:
    """Tell whether `events` say when each seat that ended began; those of a resumed run or a stored result do not."""
    starts = {event["seat"] for event in events if event["type"] == "panelist.started"}
    ends = {event["seat"] for event in events if event["type"] in ("panelist.answered", "panelist.failed")}
    return bool(starts) and ends <= starts


@dataclass
class EventTimeline:
    """The timeline of a run, built from its events in their order."""

    _bars: dict[str, list[Mark]] = field(default_factory=dict)
    _dots: dict[str, list[Mark]] = field(default_factory=dict)
    _notes: dict[str, list[str]] = field(default_factory=dict)
    _starts: dict[str, float] = field(default_factory=dict)
    _attempt: int = 0

    @classmethod
    def lanes(cls, events: Sequence[Any]) -> list[Lane]:
        """Return a lane for each seat, and for judge and synthesis where they worked.

        Args:
            events: The run's events, with its seats' starts (see `has_all_starts`).
        """
        timeline = cls()
        for event in events:
            timeline._fold(event)
        # Dots behind bars: the later mark is drawn on top.
        marks = {name: [*bars, *timeline._dots.get(name, ())] for name, bars in timeline._bars.items()}
        stages = [name for name in (JUDGE, SYNTHESIS) if marks.get(name)]
        seats = [name for name in marks if name not in (JUDGE, SYNTHESIS)]
        return [Lane(name, timeline._note(name), marks[name]) for name in (*seats, *stages)]

    def _fold(self, event: Any) -> None:
        at = float(event["t"])
        match event["type"]:
            case "plan.chosen":
                # All seats of the plan, so that one that was never called has its lane, too.
                self._bars |= {seat: [] for seat in event["seats"]}
            case "panelist.started":
                self._starts[event["seat"]] = at
            case "panelist.tool":
                text = f"{format_seconds(at)}: {event['tool']} {one_line(event['query'], 120)}, {tool_outcome(event)}"
                self._dots.setdefault(event["seat"], []).append(Mark(at, at, "tool", text))
            case "panelist.answered":
                self._end(event["seat"], at, "answered", f"answered in {format_seconds(event['seconds'])}")
            case "panelist.failed":
                # A seat that was too late has done nothing wrong, and is not shown as failed.
                is_late = event["reason"] == "straggler"
                why = "cut off" if is_late else REASONS.get(event["reason"], event["reason"])
                self._end(event["seat"], at, "cut" if is_late else "failed", f"{why} at {format_seconds(at)}")
            case "panel.closed":
                # No event says when judge and synthesis begin: it is when the stage before ends.
                self._starts[JUDGE] = self._starts[SYNTHESIS] = at
            case "judge.completed":
                self._end(JUDGE, at, "judge", f"compared in {format_seconds(at - self._starts.get(JUDGE, at))}")
                self._starts[SYNTHESIS] = at
            # The first delta of each attempt; the others say nothing about times.
            case "synthesis.delta" if event["attempt"] != self._attempt:
                self._attempt = event["attempt"]
                text = f"{format_seconds(at)}: begins to write" + (" anew" if self._attempt > 1 else "")
                self._dots.setdefault(SYNTHESIS, []).append(Mark(at, at, "tool", text))
            case "run.completed" if event["result"]["timing"]["synthesis_seconds"] is not None:
                at -= event["result"]["timing"].get("verification_seconds") or 0.0  # what a second reader took after it
                took = format_seconds(max(0.0, at - self._starts.get(SYNTHESIS, at)))
                self._end(SYNTHESIS, at, "synthesis", f"written in {took}")

    def _note(self, name: str) -> str:
        return ", ".join(self._notes.get(name, ["not ended" if name in self._starts else "not asked"]))

    def _end(self, name: str, at: float, kind: str, text: str) -> None:
        start = min(at, self._starts.get(name, at))
        # Never of length 0, which would be drawn as a dot, like a tool call.
        self._bars.setdefault(name, []).append(Mark(start, max(at, start + 1e-3), kind, text))
        self._notes.setdefault(name, []).append(text)


def from_durations(result: FusionResult) -> list[Lane]:
    """Return the lanes of a run without events: its waves one after the other, then judge and synthesis.

    Args:
        result: The run's result, which has each part's duration and no times of day.
    """
    bars: dict[str, list[Mark]] = {seat: [] for seat in result.plan.seats}
    notes: dict[str, list[str]] = {}
    at = 0.0
    for wave in sorted({response.wave for response in result.responses}):
        responses = [response for response in result.responses if response.wave == wave]
        for response in responses:
            text = f"answered in {format_seconds(response.seconds)}, {count_of(response.tool_calls, 'tool call')}"
            bars.setdefault(response.seat, []).append(Mark(at, at + response.seconds, "answered", text))
            notes.setdefault(response.seat, []).append(text)
        at += max(response.seconds for response in responses)
    for failed in (row for row in result.failed_models if row.stage == "panelist"):
        notes.setdefault(failed.seat, []).append(REASONS[failed.reason])
    lanes = [Lane(seat, ", ".join(notes.get(seat, ["not asked"])), marks) for seat, marks in bars.items()]
    # The panel took longer than its answers where it waited for a seat that then failed, which has no duration.
    at = max(at, result.timing.panel_seconds or 0.0)
    for name, seconds in ((JUDGE, result.timing.judge_seconds), (SYNTHESIS, result.timing.synthesis_seconds)):
        if seconds is not None:
            text = f"took {format_seconds(seconds)}"
            lanes.append(Lane(name, text, [Mark(at, at + seconds, name, text)]))
            at += seconds
    return lanes


def bill_lanes(usage: Usage) -> tuple[list[Lane], Callable[[float], str]]:
    """Return a lane for each stage, its calls in order, and what writes the axis's values; no lanes without figures."""
    # By tokens where no price is known, as with local models: the shares are worth seeing without an amount.
    if usage.cost_usd:
        return _lanes(
            usage, lambda call: call.cost_usd or 0.0, lambda calls: _in_dollars(Usage.of(calls))
        ), lambda value: f"${value:g}"
    if usage.input_tokens or usage.output_tokens:
        return _lanes(usage, _tokens, lambda calls: _in_tokens(Usage.of(calls))), lambda value: f"{value:,.0f} tokens"
    return [], str


def bill_by_stage(usage: Usage) -> list[tuple[str, Usage]]:
    """Return the name of each stage that made calls, and its part of the bill."""
    parts = {name: [call for call in usage.calls if call.stage == stage] for stage, name in STAGES.items()}
    return [(name, Usage.of(calls)) for name, calls in parts.items() if calls]


def _lanes(usage: Usage, size: Callable[[Call], float], describe: Callable[[Sequence[Call]], str]) -> list[Lane]:
    lanes = []
    for name, part in bill_by_stage(usage):
        marks: list[Mark] = []
        at = 0.0
        for call in part.calls:
            # A call without a figure has no bar; where the bill is in dollars, the lane's note counts such calls.
            if length := size(call):
                caller = f"{call.seat}, {call.model}" if call.seat else call.model
                marks.append(Mark(at, at + length, _CLASSES[name], f"{caller}: {describe([call])}"))
                at += length
        lanes.append(Lane(name, describe(part.calls), marks))
    return lanes


_CLASSES = {"panel": "answered", "judge": "judge", "synthesis": "synthesis"}


def _tokens(call: Call) -> float:
    return float((call.input_tokens or 0) + (call.output_tokens or 0))


def _in_dollars(part: Usage) -> str:
    return f"{dollars(part.cost_usd, part.unpriced_calls)}, {count_of(len(part.calls), 'call')}"


def _in_tokens(part: Usage) -> str:
    return f"{count(part.input_tokens)} tokens in, {count(part.output_tokens)} out, {count_of(len(part.calls), 'call')}"
