"""A closing mark that was never opened: what is shown as it is written, and what is remembered of a model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.config.schema import Panelist
from fusion_tool.models import reasoning_filters
from fusion_tool.models.reasoning_filters import reasoning_filter, record_beginning
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter

MODEL = Panelist(model="m", base_url="http://localhost:1/v1")
THOUGHTS = [
    "The user asks. I should say 3.4.",
    "Okay, so the tide. Let me think.",
    "Hmm, is it 3.4?",
    "We need to answer with one sentence.",
    "I'll compare both sources first.",
    "好的，用户问的是潮水。",  # noqa: RUF001 - Chinese punctuation
]


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(reasoning_filters, "_begins_inside", {})


@pytest.mark.parametrize("thought", THOUGHTS)
@pytest.mark.parametrize("size", [1, 3, 20, 500])
def test_a_thought_waits_for_its_closing_mark(thought, size):
    text = f"{thought}\n</think>\n\nThe tide rose."
    stream = reasoning_filter(MODEL, is_shown=True)()
    pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join([*pieces, stream.close()]) == "The tide rose."


@pytest.mark.parametrize("text", ["The tide rose.", "It rose", "Tides", "1861."])
def test_an_answer_goes_on_at_once(text):
    assert reasoning_filter(MODEL, is_shown=True)().feed(f"{text} More").startswith(text)


@pytest.mark.parametrize("thought", THOUGHTS)
def test_a_text_that_begins_as_a_thought_and_has_no_mark_is_the_answer(thought):
    assert reasoning_filter(MODEL, is_shown=True)().apply(thought) == thought


def test_a_model_that_did_it_once_is_waited_for():
    record_beginning(MODEL, "Secret plan.\n</think>\n\nThe tide rose.")
    record_beginning(MODEL, "The tide rose.")
    stream = reasoning_filter(MODEL, is_shown=True)()
    assert stream.feed("Another plan.\n") == ""
    assert stream.feed("</think>\nIt fell.") + stream.close() == "It fell."


def test_a_model_that_is_known_not_to_is_not_waited_for():
    record_beginning(MODEL, "The tide rose.")
    assert reasoning_filter(MODEL, is_shown=True)().feed("Okay, it rose. More") == "Okay, it rose. More"
    assert reasoning_filter(MODEL, is_shown=False)().apply("Plan.\n</think>\nIt fell.") == "It fell."


@given(
    st.lists(st.sampled_from(["Okay", ", ", "the user ", "The tide", " rose.", "\n", "</think>", "hm"]), max_size=8),
    st.integers(1, 9),
)
def test_the_output_is_the_same_however_the_text_is_cut(parts, size):
    text = "".join(parts)
    stream = ReasoningFilter(only_thoughts=True)
    pieces = [stream.feed(text[start : start + size]) for start in range(0, len(text), size)]
    assert "".join([*pieces, stream.close()]) == ReasoningFilter(only_thoughts=True).apply(text)
