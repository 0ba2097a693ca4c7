"""Events as lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.servers.telling import told


@given(st.text(), st.text())
def test_a_line_is_one_line_whatever_a_model_says(seat, said):
    events = [
        {"type": "panelist.tool", "seat": seat, "tool": said, "query": said, "found": 1},
        {"type": "panelist.failed", "seat": seat, "reason": "auth", "message": said},
        {"type": "plan.chosen", "reason": said, "seats": [seat]},
    ]
    for event in events:
        line = told(event)
        assert line is not None
        assert line.isprintable()
        assert len(line) <= 200


@pytest.mark.parametrize("kind", ["run.started", "synthesis.delta", "run.completed"])
def test_what_is_no_news_is_not_told(kind):
    assert told({"type": kind}) is None


def test_only_a_further_wave_is_news():
    assert told({"type": "wave.started", "wave": 1, "seats": ["a"]}) is None
    assert told({"type": "wave.started", "wave": 2, "seats": ["a", "b"]}) == "wave 2: a, b"
