"""The charts of a report, as SVG: scores, domains, shares, and score against cost or time."""

import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_tool.evals.report.section import format_interval, format_points, format_share_interval
from fusion_tool.evals.statistics import Interval, PairedComparison
from fusion_tool.report.charts import Lane, Mark, draw_lanes
from fusion_tool.report.text_width import cut_to_width

if TYPE_CHECKING:
    from markupsafe import Markup

    from fusion_tool.evals.summary import Summary

_STEP = 20
"""Points between two marks of a difference's axis."""
_HAIR = 0.15
"""Half of the width of the line at zero, in points."""
_UNSEEN = "unseen"
"""Class of a mark that only makes an axis long enough."""


@dataclass(frozen=True)
class Chart:
    """A drawing and its caption."""

    svg: "Markup"
    caption: str


def ranking_chart(summary: "Summary") -> "Markup | None":
    """Draw the arms' scores, the best first; `None` where none has any."""
    scores = [(arm, arm.score.score) for arm in summary.arms if arm.score.score]
    lanes = [
        Lane(
            arm.name,
            f"{format_points(mean.value)} ({format_interval(mean)}), n = {mean.n}",
            _marks(mean.value, mean.interval),
        )
        for arm, mean in sorted(scores, key=lambda pair: -pair[1].value)
    ]
    return _draw("Scores with intervals", lanes, end=100.0)


def domain_charts(summary: "Summary") -> list[Chart]:
    """Draw, for each pair of arms, the differences by domain."""
    pairs: dict[tuple[str, str], list[tuple[str, PairedComparison]]] = {}
    for domain, comparisons in summary.domains.items():
        for comparison in comparisons:
            pairs.setdefault((comparison.arm, comparison.against), []).append((domain, comparison))
    charts = []
    for (arm, against), rows in pairs.items():
        title = f"{arm} less {against}, by domain"
        if svg := _differences(title, rows):
            charts.append(Chart(svg, f"{title}, in points; right of the line {arm} is better."))
    return charts


def draw_shares(title: str, shares: "Sequence[tuple[str, int, int, Interval | None]]") -> "Markup | None":
    """Draw shares with their intervals; `None` where there are none.

    Args:
        title: What the chart shows.
        shares: Label, count, total and interval of each.
    """
    lanes = [
        Lane(label, f"{count} of {total} ({format_share_interval(interval)})", _marks(count / total, interval))
        for label, count, total, interval in shares
    ]
    return _draw(title, lanes, end=100.0)


def _marks(value: float, interval: Interval | None, offset: float = 0.0) -> list[Mark]:
    dot = Mark(value * 100 + offset, value * 100 + offset, "tool", format_points(value))
    if interval is None:
        return [dot]
    low, high = interval.low * 100 + offset, interval.high * 100 + offset
    bar = Mark(low, high, "answered", f"{format_points(interval.low)} to {format_points(interval.high)}")
    return [bar, dot] if high > low else [dot]  # SVG paints in this order: the dot lies on the bar


def _draw(title: str, lanes: Sequence[Lane], end: float) -> "Markup | None":
    """Draw the lanes on an axis up to `end`; `None` where there are none."""
    if not lanes:
        return None
    # The axis ends where the last mark does, and scores are to be seen on a whole scale of 100.
    edge = Lane(lanes[-1].label, lanes[-1].note, [*lanes[-1].marks, Mark(end, end, _UNSEEN, "")])
    return draw_lanes(title, [*lanes[:-1], edge], lambda value: f"{value:g}")


def _differences(title: str, rows: Sequence[tuple[str, PairedComparison]]) -> "Markup | None":
    """Draw differences about a line at zero; `None` where no difference is known."""
    comparisons = [(domain, row) for domain, row in rows if row.difference is not None]
    ends = [abs(end) * 100 for _, comparison in comparisons for end in _ends(comparison)]
    if not ends:
        return None
    # The lanes' axis begins at 0, so that all is moved right by whole steps.
    offset = float(max(1, math.ceil(max(ends) / _STEP)) * _STEP)
    zero = Mark(offset - _HAIR, offset + _HAIR, "judge", "no difference")
    lanes = [
        Lane(domain, _note(comparison), [zero, *_marks(comparison.difference or 0.0, comparison.interval, offset)])
        for domain, comparison in comparisons
    ]
    edge = Lane(lanes[-1].label, lanes[-1].note, [*lanes[-1].marks, Mark(2 * offset, 2 * offset, _UNSEEN, "")])
    return draw_lanes(title, [*lanes[:-1], edge], lambda value: f"{value - offset:+g}")


def _note(comparison: PairedComparison) -> str:
    interval = (
        f" ({format_points(comparison.interval.low)} to {format_points(comparison.interval.high)})"
        if comparison.interval
        else ""
    )
    return f"{(comparison.difference or 0.0) * 100:+.1f}{interval}, n = {comparison.n}: {comparison.finding}"


def _ends(comparison: PairedComparison) -> tuple[float, ...]:
    return (
        (comparison.interval.low, comparison.interval.high) if comparison.interval else (comparison.difference or 0.0,)
    )


_WIDTHS = {"wide": (760, 420), "narrow": (380, 340)}
"""Width and height of the two drawings of a chart, of which the page's style sheet shows one."""
_RADIUS, _ROOM = 5, 1.15
"""A dot's radius and a letter's mean width in pixels, and the axis's length over the largest value."""
_NEAR = 0.03
"""Dots closer than this share of both axes share their label."""


@dataclass(frozen=True)
class Dot:
    """One arm in a scatter chart.

    Args:
        name: The arm's name.
        x: What an answer takes, in the axis's unit.
        y: The score in points of 100.
        interval: The score's interval, 0 to 1; `None` where it has none.
    """

    name: str
    x: float
    y: float
    interval: Interval | None = None


def scatter(title: str, unit: str, dots: Sequence[Dot]) -> "Markup":
    """Draw `dots`; those that no other dot beats are filled.

    Args:
        title: The chart's subject; a screen reader says it, with the dots' figures.
        unit: The unit of the horizontal axis.
        dots: At least one dot.
    """
    from markupsafe import Markup

    drawings = (_draw_scatter(title, unit, dots, size, *shape) for size, shape in _WIDTHS.items())
    # Safe as markup: an XML library has written the drawings, and escaped every name in them.
    return Markup('<div class="picture">{}</div>').format(Markup("").join(map(Markup, drawings)))


def frontier(dots: Sequence[Dot]) -> set[str]:
    """Return the names of the dots that no other dot beats.

    A dot beats another that scores no higher and costs no less, where one of the two differs.
    """
    return {
        dot.name
        for dot in dots
        if not any(
            other.y >= dot.y and other.x <= dot.x and (other.y > dot.y or other.x < dot.x)
            for other in dots
            if other is not dot
        )
    }


def _draw_scatter(title: str, unit: str, dots: Sequence[Dot], size: str, width: int, height: int) -> str:  # noqa: PLR0913, PLR0917 - a picture's parts
    from leather import Axis, Chart, Linear, Series

    most = max(dot.x for dot in dots) * _ROOM or 1.0  # all may be free, and an axis from 0 to 0 has no length
    chart = Chart()
    chart.set_x_scale(Linear(0, most))
    chart.set_y_scale(Linear(0, 100))
    chart.set_x_axis(Axis(name=unit, tick_formatter=lambda value, *_: f"{float(value):g}"))
    chart.set_y_axis(Axis(tick_formatter=lambda value, *_: f"{float(value):g}"))
    chart.add_series(Series([(dot.x, dot.y) for dot in dots]), _Dots(dots))
    figures = "; ".join(f"{dot.name}: {dot.y:.1f} points at {dot.x:.4g}" for dot in dots)
    label = {"class": size, "role": "img", "aria-label": f"{title}. {figures}", "viewBox": f"0 0 {width} {height}"}
    root = ET.Element("svg", label)
    root.append(_own_style(chart.to_svg_group(width, height)))
    return ET.tostring(root, encoding="unicode")


def _own_style(group: ET.Element) -> ET.Element:
    """Remove the library's fonts and colours, for the page has its own; its style sheet hides a left axis."""
    for element in group.iter():
        for name in ("font-family", "font-size"):
            element.attrib.pop(name, None)
        if element.get("class") == "axis left":
            element.set("class", "axis")
    return group


class _Dots:
    """The shape with which leather's chart draws the arms."""

    def __init__(self, dots: Sequence[Dot]) -> None:
        self._dots, self._best = dots, frontier(dots)

    def validate_series(self, series: Any) -> None:
        """Accept any series of numbers."""

    def to_svg(self, width: float, height: float, x: Any, y: Any, series: Any, _palette: Any) -> ET.Element:
        """Draw a dot for each arm, with its interval and its name."""
        del series
        whole = ET.Element("g", {"class": "dots"})
        for dot in self._dots:
            across = float(x.project(dot.x, 0, width))

            def up(value: float) -> float:
                return float(y.project(value, height, 0))  # SVG counts from the top

            if dot.interval:
                ends = {"y1": up(dot.interval.low * 100), "y2": up(dot.interval.high * 100)}
                ET.SubElement(whole, "line", _texts({"class": "track", "x1": across, "x2": across, **ends}))
            kind = "answered" if dot.name in self._best else "tool"
            place = {"cx": across, "cy": up(dot.y), "r": _RADIUS}
            circle = ET.SubElement(whole, "circle", _texts({"class": f"mark {kind}", **place}))
            ET.SubElement(circle, "title").text = f"{dot.name}: {dot.y:.1f} points at {dot.x:.4g}"
            if name := _label_at(dot, self._dots):
                whole.append(_name(name, across, up(dot.y), width))
        return whole


def _label_at(dot: Dot, dots: Sequence[Dot]) -> str:
    """Return the names of all dots that lie where `dot` does, at the first of them; empty at the others."""
    reach = max(neighbour.x for neighbour in dots) * _NEAR
    near = [
        neighbour.name
        for neighbour in dots
        if abs(neighbour.x - dot.x) <= reach and abs(neighbour.y - dot.y) <= _NEAR * 100
    ]
    return ", ".join(near) if near[0] == dot.name else ""


def _name(name: str, across: float, level: float, width: float) -> ET.Element:
    """Draw a name beside its dot, on the side where there is room."""
    is_left = across > width / 2
    room = (across if is_left else width - across) - 9
    at = {"x": across - 9 if is_left else across + 9, "y": level + 4, "text-anchor": "end" if is_left else "start"}
    text = ET.Element("text", _texts({"class": "label", **at}))
    text.text = cut_to_width(name, room)
    return text


def _texts(attributes: dict[str, Any]) -> dict[str, str]:
    return {name: f"{value:.1f}" if isinstance(value, float) else str(value) for name, value in attributes.items()}
