"""The bill as lanes: dollars, else tokens, and never a zero for what is unknown."""

import pytest

from fusion_tool.report.bill import lanes_of, stages_of
from fusion_tool.usage import Call, Usage
from tests.unit.report.samples import SEATS, call, three_seats


def test_each_stage_is_a_lane_of_its_calls() -> None:
    lanes, tick = lanes_of(three_seats().usage)
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
    lanes, tick = lanes_of(Usage.of([call("panelist", SEATS[0], cost), call("judge", None, cost)]))
    assert [mark.end for lane in lanes for mark in lane.marks] == [5900, 5900]
    assert tick(5900) == "5,900 tokens"


@pytest.mark.parametrize("calls", [[], [Call(stage="judge", seat=None, model="m")]])
def test_where_nothing_is_known_nothing_is_drawn(calls: list[Call]) -> None:
    assert lanes_of(Usage.of(calls))[0] == []


def test_a_stage_without_calls_is_no_row() -> None:
    assert [name for name, _ in stages_of(Usage.of([call("judge", None, 1.0)]))] == ["judge"]
