"""Stop sequences: what a stream says is what the whole text says, however it was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.api.chat_messages import StopSequences, cut_at_stop

letters = st.text("ab\n", max_size=12)
stops = st.lists(st.text("ab\n", max_size=4), max_size=3)


@given(st.lists(letters, max_size=8), stops)
def test_the_way_of_cutting_changes_nothing(pieces, wanted):
    streamed = StopSequences(wanted)
    assert "".join(map(streamed.feed, pieces)) + streamed.close() == cut_at_stop(wanted, "".join(pieces))


@given(letters, stops)
def test_what_is_kept_is_what_stands_before_the_first_stop(text, wanted):
    ends = [text.find(stop) for stop in wanted if stop and stop in text]
    assert cut_at_stop(wanted, text) == text[: min(ends, default=len(text))]


@pytest.mark.parametrize(
    ("pieces", "passed_on"),
    [
        (["The answer"], ["The answer"]),
        (["The answer\nObs"], ["The answer"]),
        (["The answer\nObs", "tacle"], ["The answer", "\nObstacle"]),
        (["The answer\nObs", "ervation: none", " at all"], ["The answer", "", ""]),
    ],
)
def test_only_what_may_still_become_a_stop_is_held_back(pieces, passed_on):
    streamed = StopSequences(["\nObservation"])
    assert [streamed.feed(piece) for piece in pieces] == passed_on
