"""Lanes over a common axis as inline SVG: a timeline, a bill, intervals.

Colours are the style sheet's, by class, so that the picture follows light and dark. It is drawn twice, for a wide
page and for a phone, since text in a scaled picture cannot be read; the style sheet shows one.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fusion_tool.report.words import short

if TYPE_CHECKING:
    from markupsafe import Markup

_WIDTHS = {"wide": 760, "narrow": 380}
_LANE, _BAR, _DOT = 52, 14, 5
_PADDING = 24
_LETTER = 6.6
"""About as wide is a letter of the picture's text."""


@dataclass(frozen=True)
class Mark:
    """Something on a lane: a bar from `start` to `end`, a dot where they are the same, in the axis's unit.

    `kind` is its class in the style sheet, `told` what is read where it is pointed at.
    """

    start: float
    end: float
    kind: str
    told: str


@dataclass(frozen=True)
class Lane:
    """One row: its name, what it comes to in words, and its marks, the later ones on top."""

    label: str
    note: str
    marks: Sequence[Mark] = ()


def picture(title: str, lanes: Sequence[Lane], tick: Callable[[float], str]) -> "Markup":
    """Draw `lanes`, top down, from 0 to the last mark's end.

    Args:
        title: What the picture shows; with the lanes' labels and notes it is what a screen reader says.
        lanes: At least one, with at least one mark that ends above 0.
        tick: A value of the axis in words.
    """
    from markupsafe import Markup

    drawn = (_drawn(title, lanes, tick, size, width) for size, width in _WIDTHS.items())
    return Markup('<div class="picture">{}</div>').format(Markup("").join(map(Markup, drawn)))


def _drawn(title: str, lanes: Sequence[Lane], tick: Callable[[float], str], size: str, width: int) -> str:
    from leather import Axis, Chart, Linear, Ordinal, Series, theme

    keys = [str(place) for place in range(len(lanes))]
    end = max(mark.end for lane in lanes for mark in lane.marks)
    margin = width * theme.margin
    inner = len(lanes) * _LANE + theme.tick_font_char_height + 2 * theme.tick_size
    chart = Chart()
    chart.set_x_scale(Linear(0, end))
    chart.set_y_scale(Ordinal(keys[::-1]))
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
    root.append(chart.to_svg_group(width, inner + 2 * margin))
    return ET.tostring(root, encoding="unicode")


class _Lanes:
    """The shape by which the chart draws a series of lanes."""

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes

    def validate_series(self, series: Any) -> None:
        """Any series of places will do."""

    def to_svg(self, width: float, height: float, x: Any, y: Any, series: Any, _palette: Any) -> ET.Element:
        """A group a lane: its words above its bar."""
        whole = ET.Element("g", {"class": "lanes"})
        for lane, place in zip(self._lanes, series.data(), strict=True):
            _, top = y.project_interval(place.y, height, 0)
            whole.append(_lane(lane, float(top), width, lambda value: float(x.project(value, 0, width))))
        return whole


def _lane(lane: Lane, top: float, width: float, at: Callable[[float], float]) -> ET.Element:
    group = ET.Element("g", {"class": "lane"})
    room = int(width / _LETTER)
    label = ET.SubElement(group, "text", {"class": "label", "x": "0", "y": f"{top + 12:.1f}"})
    label.text = short(lane.label, room // 2)
    note = ET.SubElement(label, "tspan", {"class": "note", "dx": "8"})
    note.text = short(lane.note, room - len(label.text) - 2)
    middle = top + 20 + _BAR / 2
    ET.SubElement(group, "line", _texts({"class": "track", "x1": 0, "x2": width, "y1": middle, "y2": middle}))
    for mark in lane.marks:
        group.append(_mark(mark, middle, at))
    return group


def _mark(mark: Mark, middle: float, at: Callable[[float], float]) -> ET.Element:
    start, end = at(mark.start), at(mark.end)
    if mark.start == mark.end:
        drawn = ET.Element("circle", _texts({"class": f"mark {mark.kind}", "cx": start, "cy": middle, "r": _DOT}))
    else:
        box = {"x": start, "y": middle - _BAR / 2, "width": max(1.0, end - start), "height": _BAR, "rx": 3}
        drawn = ET.Element("rect", _texts({"class": f"mark {mark.kind}", **box}))
    ET.SubElement(drawn, "title").text = mark.told
    return drawn


def _texts(attributes: dict[str, Any]) -> dict[str, str]:
    return {name: f"{value:.1f}" if isinstance(value, float) else str(value) for name, value in attributes.items()}
