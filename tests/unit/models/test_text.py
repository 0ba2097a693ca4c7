"""What of a message is its answer, in one piece or in any number of pieces."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fusion_tool.models.text import AnswerStream, answer_text

pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "<th", "ink>", "<", "/think>", " ", "\n", "word", "<b>"])
    | st.text(max_size=3)
)


def streamed(deltas):
    stream = AnswerStream()
    return "".join([*(stream.feed(delta) for delta in deltas), stream.close()])


@given(pieces, st.data())
@example(["<think>a</think> <think>b</think>\n\nword \n"], None)
def test_every_way_of_cutting_says_the_same(texts, data):
    text = "".join(texts)
    whole = answer_text(text)
    assert streamed(texts) == streamed(text) == whole
    if data is not None:
        cut = data.draw(st.integers(0, len(text)))
        assert streamed([text[:cut], text[cut:]]) == whole


@given(pieces)
def test_an_answer_has_no_white_space_at_its_ends_and_no_reasoning_in_front(texts):
    answer = answer_text("".join(texts))
    assert answer == answer.strip()
    assert not (answer.startswith("<think>"))


@given(st.text())
def test_a_text_without_reasoning_stands_as_it_is(text):
    assert answer_text(f"x{text}y") == f"x{text}y"


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        ("", ""),
        ("  \n", ""),
        (" The answer. \n", "The answer."),
        ("<think>hm</think>The answer.", "The answer."),
        ("\n<think>\nhm\n</think>\n\nThe answer.\n", "The answer."),
        ("<think></think><think>more</think> The answer.", "The answer."),
        ("<think>never closed", ""),
        ("<think>a</think>", ""),
        ("<thi", "<thi"),
        ("<thing> is a tag", "<thing> is a tag"),
        ("Use <think>x</think> tags.", "Use <think>x</think> tags."),
        ("a  b\n\n c", "a  b\n\n c"),
    ],
)
def test_what_is_the_answer(content, answer):
    assert answer_text(content) == answer


def test_what_is_certain_is_passed_on_at_once():
    stream = AnswerStream()
    assert [stream.feed(part) for part in ("<th", "ink>a</think> ", "The", " ", "answer", "\n")] == [
        "",
        "",
        "The",
        "",
        " answer",
        "",
    ]
    assert stream.close() == ""
