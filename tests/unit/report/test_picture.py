"""Lanes as SVG: where marks stand, what is said, and that words cannot break it."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from fusion_tool.report.picture import Lane, Mark, picture

_TIMES = st.floats(0, 1e6, allow_nan=False)
_LABELS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60)


def _drawn(lanes: list[Lane]) -> LexborHTMLParser:
    return LexborHTMLParser(str(picture("Who", lanes, lambda value: f"{value:g} s")))


def test_a_bar_is_as_long_as_it_took() -> None:
    page = _drawn([Lane("a", "n", [Mark(0, 10, "answered", "told")]), Lane("b", "n", [Mark(5, 10, "judge", "")])])
    full, half = (float(bar.attributes["width"] or 0) for bar in page.css(".wide rect.mark"))
    assert full == pytest.approx(2 * half, abs=0.2)
    assert page.css_first(".wide rect.answered title").text() == "told"


def test_a_moment_is_a_dot() -> None:
    page = _drawn([Lane("a", "n", [Mark(0, 10, "answered", ""), Mark(3, 3, "tool", "search")])])
    assert page.css_first(".wide circle.tool title").text() == "search"


def test_it_is_drawn_for_a_page_and_for_a_phone_and_said_in_words() -> None:
    page = _drawn([Lane("seat <1>", "answered", [Mark(0, 1, "answered", "")])])
    for size in ("wide", "narrow"):
        drawn = page.css_first(f"svg.{size}")
        assert drawn.attributes["role"] == "img"
        assert drawn.attributes["aria-label"] == "Who. seat <1>: answered"


@pytest.mark.filterwarnings("error")
@given(st.lists(st.tuples(_LABELS, st.lists(st.tuples(_TIMES, _TIMES), max_size=4)), min_size=1, max_size=8))
def test_any_lanes_can_be_drawn(rows: list[tuple[str, list[tuple[float, float]]]]) -> None:
    lanes = [
        Lane(label, label, [Mark(min(span), max(span), "answered", label) for span in spans]) for label, spans in rows
    ]
    lanes.append(Lane("last", "", [Mark(0, 1, "judge", "")]))
    for root in ET.fromstring(str(picture("Who", lanes, str))):  # noqa: S314 - our own
        for bar in root.iter("rect"):
            assert float(bar.attrib["x"]) >= 0
            assert float(bar.attrib["width"]) > 0
