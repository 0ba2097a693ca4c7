"""Who worked when, from events and from durations.

Lanes as SVG: where marks stand, what is said, and that words cannot break it.

The bill as lanes: dollars, else tokens, and never a zero for what is unknown.
"""

import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from fusion_tool.budget.usage import Call, Usage
from fusion_tool.report.charts import (
    EventTimeline,
    Lane,
    Mark,
    bill_by_stage,
    bill_lanes,
    draw_lanes,
    from_durations,
    has_all_starts,
)
from tests.unit.report.samples import SEATS, call, event, response, seen, three_seats


def _spans(lanes: list[Lane]) -> dict[str, list[tuple[float, float, str]]]:
    return {lane.label: [(mark.start, mark.end, mark.kind) for mark in lane.marks] for lane in lanes}


def test_events_tell_seats_tools_judge_and_each_writer() -> None:
    spans = _spans(EventTimeline.lanes(seen(three_seats())))
    first, second, late = SEATS
    assert spans == {
        first: [(0.2, 12.6, "answered"), (1.5, 1.5, "tool"), (4.4, 4.4, "tool")],
        second: [(0.2, 17.4, "answered")],
        late: [(0.2, 17.5, "cut")],
        "judge": [(17.5, 25.1, "judge")],
        "synthesis": [(25.1, 38.9, "synthesis"), (27.3, 27.3, "tool"), (31.0, 31.0, "tool")],
    }


def _chain(*, judged: bool) -> list[dict[str, Any]]:
    """Two waves of one seat each, the first judged or decided by itself."""
    settled = [event(9.0, "judge.completed", consensus=1, contradictions=0)] if judged else []
    return [
        event(0.0, "plan.chosen", strategy="chain", seats=["a", "b", "c"], reason="r"),
        event(0.0, "wave.started", wave=1, seats=["a"]),
        event(0.0, "panelist.started", seat="a", model="m", wave=1),
        event(5.0, "panelist.failed", seat="a", model="m", reason="timeout", message="x"),
        event(5.0, "panel.closed", answered=1, failed=0),
        *settled,
        event(9.0, "wave.started", wave=2, seats=["b"]),
        event(9.0, "panelist.started", seat="a", model="m", wave=2),
        event(12.0, "panelist.answered", seat="a", model="m", seconds=3.0, cost_usd=None),
        event(12.0, "panel.closed", answered=2, failed=0),
    ]


@pytest.mark.parametrize("judged", [True, False])
def test_waves_stand_one_after_the_other(judged: bool) -> None:
    lanes = EventTimeline.lanes(_chain(judged=judged))
    spans = _spans(lanes)
    assert spans["a"] == [(0.0, 5.0, "failed"), (9.0, 12.0, "answered")]
    assert spans["b"] == spans["c"] == []
    assert ("judge" in spans) is judged
    assert next(lane.note for lane in lanes if lane.label == "a") == "no answer in time at 5.0 s, answered in 3.0 s"
    assert next(lane.note for lane in lanes if lane.label == "c") == "not asked"


@pytest.mark.parametrize(
    ("kept", "whole"),
    [
        (lambda _: True, True),
        (lambda one: one["type"] != "panelist.started", False),
        (lambda one: (one["type"], one.get("seat")) != ("panelist.started", SEATS[1]), False),
        (lambda one: one["type"] in ("run.started", "run.completed"), False),
    ],
)
def test_events_are_used_where_every_seat_was_seen_to_begin(kept: Any, whole: bool) -> None:
    assert has_all_starts([one for one in seen(three_seats()) if kept(one)]) is whole


def test_durations_give_the_same_order() -> None:
    run = three_seats(responses=[response("a", took=5.0), response("b", took=8.0), response("a", took=2.0, wave=2)])
    spans = _spans(from_durations(run))
    assert spans["a"] == [(0.0, 5.0, "answered"), (8.0, 10.0, "answered")]
    assert spans["b"] == [(0.0, 8.0, "answered")]
    assert spans["judge"] == [(17.4, 25.0, "judge")]
    assert spans["synthesis"][0][0] == 25.0


def test_what_failed_or_was_not_asked_is_said_though_its_time_is_not_known() -> None:
    failed = {"seat": "b", "model": "m", "reason": "rate_limited", "message": "", "status_code": 429}
    plan = {"strategy": "cascade", "seats": ["a", "b", "c"], "reason": "", "bash": "off"}
    lanes = from_durations(three_seats(responses=[response("a")], failed_models=[failed], plan=plan))
    notes = {lane.label: lane.note for lane in lanes}
    assert notes["b"] == "the provider took no more requests"
    assert notes["c"] == "not asked"


_TIMES = st.floats(0, 1e6, allow_nan=False)
_LABELS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60)


def _drawn(lanes: list[Lane]) -> LexborHTMLParser:
    return LexborHTMLParser(str(draw_lanes("Who", lanes, lambda value: f"{value:g} s")))


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
    for root in ET.fromstring(str(draw_lanes("Who", lanes, str))):  # noqa: S314 - our own
        for bar in root.iter("rect"):
            assert float(bar.attrib["x"]) >= 0
            assert float(bar.attrib["width"]) > 0


def test_each_stage_is_a_lane_of_its_calls() -> None:
    lanes, tick = bill_lanes(three_seats().usage)
    assert [(lane.label, lane.note) for lane in lanes] == [
        ("panel", "$0.0214 + 1 call of unknown cost, 4 calls"),
        ("judge", "$0.0312, 1 call"),
        ("synthesis", "$0.0478, 1 call"),
    ]
    assert [(mark.start, mark.end) for mark in lanes[0].marks] == [
        (0.0, 0.0042),
        (0.0042, pytest.approx(0.0134)),
        (pytest.approx(0.0134), pytest.approx(0.0214)),
    ]
    assert tick(0.05) == "$0.05"


@pytest.mark.parametrize("cost", [None, 0.0])
def test_without_a_price_tokens_are_drawn(cost: float | None) -> None:
    lanes, tick = bill_lanes(Usage.of([call("panelist", SEATS[0], cost), call("judge", None, cost)]))
    assert [mark.end for lane in lanes for mark in lane.marks] == [5900, 5900]
    assert tick(5900) == "5,900 tokens"


@pytest.mark.parametrize("calls", [[], [Call(stage="judge", seat=None, model="m")]])
def test_where_nothing_is_known_nothing_is_drawn(calls: list[Call]) -> None:
    assert bill_lanes(Usage.of(calls))[0] == []


def test_a_stage_without_calls_is_no_row() -> None:
    assert [name for name, _ in bill_by_stage(Usage.of([call("judge", None, 1.0)]))] == ["judge"]
