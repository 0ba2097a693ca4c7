"""A classifier of the caller's own is believed where what it says is valid."""

import pytest

from fusion_tool.routing.classify import classify
from fusion_tool.routing.consult import consult

QUESTION = "Who wrote The Brothers Karamazov?"


def saying(answer):
    async def classifier(question):
        assert question == QUESTION
        if isinstance(answer, Exception):
            raise answer
        return answer

    return classifier


async def test_none_means_the_word_lists():
    assert await consult(None, QUESTION) == classify(QUESTION)


async def test_signals_are_taken_as_they_are():
    signals = classify("Write a haiku about autumn.")
    assert await consult(saying(signals), QUESTION) is signals


async def test_what_it_leaves_out_comes_from_the_word_lists():
    signals = await consult(saying({"domain": "science", "difficulty": "hard"}), QUESTION)
    assert (signals.domain, signals.difficulty, signals.confidence) == ("science", "hard", 1.0)
    assert signals.closed is classify(QUESTION).closed


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"domain": "juggling"},
        {"domain": "science", "confidence": 7},
        {"domain": "science", "x": 1},
        None,
        "science",
        RuntimeError("down"),
    ],
)
async def test_anything_else_leaves_it_to_the_word_lists(answer, caplog):
    assert await consult(saying(answer), QUESTION) == classify(QUESTION)
    assert "the word lists decide" in caplog.text
