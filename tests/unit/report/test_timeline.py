"""Who worked when, from events and from durations."""

from typing import Any

import pytest

from fusion_tool.report.picture import Lane
from fusion_tool.report.timeline import Watched, from_durations, is_whole
from tests.unit.report.samples import SEATS, event, response, seen, three_seats


def _spans(lanes: list[Lane]) -> dict[str, list[tuple[float, float, str]]]:
    return {lane.label: [(mark.start, mark.end, mark.kind) for mark in lane.marks] for lane in lanes}


def test_events_tell_seats_tools_judge_and_each_writer() -> None:
    spans = _spans(Watched.lanes(seen(three_seats())))
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
    lanes = Watched.lanes(_chain(judged=judged))
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
    assert is_whole([one for one in seen(three_seats()) if kept(one)]) is whole


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
