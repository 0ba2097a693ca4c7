"""A whole run of small models: what they spoil is asked for once more, cut out, marked, or a failure with a reason."""

import json

import pytest

from fusion_tool import PanelFailed, afuse, astream
from tests.integration.panel import JUDGE, QUESTION, WRITER, deltas, panel, verdict

pytestmark = pytest.mark.loopback

ANSWER = "The Alder mill was built in 1861. It burned down in 1904."
SPOILED = f"{ANSWER}<|im_end|>\n<|im_start|>user\nAnd who built it?"
SCHEMA = json.dumps({"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]})
GERMAN = "Die Mühle wurde im Jahr 1861 gebaut, und sie ist im Jahr 1904 bis auf die Mauern abgebrannt."
LONG = "The Alder mill was built in 1861 by the people of the valley, who had waited for it for twenty years. " * 4


@pytest.fixture(autouse=True)
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "Written.")
    provider.reply("test/two", ANSWER)


def own(provider, model: str) -> dict[str, str]:
    """A model on a server of one's own."""
    return {"model": model, "base_url": provider.url}


def seat(provider, **overrides):
    config = panel("test/one", "test/two", **overrides)
    return config.model_validate(config.model_dump() | {"panel": [own(provider, "test/one"), "openrouter:test/two"]})


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [(SPOILED, "marks"), (SCHEMA, "schema"), ("Answer C", "letter"), (GERMAN, "(de)")],
    ids=["marks", "schema", "a letter", "German"],
)
async def test_a_seats_spoiled_reply_is_asked_for_once_more_with_what_was_wrong(provider, spoiled, told):
    provider.reply("test/one", spoiled, ANSWER)
    result = await afuse(QUESTION, seat(provider))
    first, second = provider.calls("test/one")
    assert second.messages[:2] == first.messages
    assert second.messages[2]["content"] == spoiled
    assert told in second.last
    assert (result.responses[0].content, result.status, result.degraded) == (ANSWER, "ok", [])
    assert [row.seat for row in result.usage.calls].count(result.responses[0].seat) == 2


async def test_what_is_left_of_a_reply_that_stays_spoiled_stands_and_is_marked(provider):
    provider.reply("test/one", SPOILED)
    result = await afuse(QUESTION, seat(provider))
    assert provider.counts["test/one"] == 2
    assert (result.responses[0].content, result.degraded) == (ANSWER, ["panel_reduced"])
    (failure,) = result.failed_models
    assert (failure.reason, "marks" in failure.message) == ("invalid_output", True)
    (request,) = provider.calls(JUDGE)
    assert "It was spoiled" in request.prompt


async def test_a_seat_of_which_nothing_is_left_fails_with_its_reason(provider):
    provider.reply("test/one", SCHEMA)
    config = panel("test/one")
    config = config.model_validate(config.model_dump() | {"panel": [own(provider, "test/one")]})
    with pytest.raises(PanelFailed) as failed:
        await afuse(QUESTION, config)
    assert [(row["reason"], "schema" in row["message"]) for row in failed.value.failed_models] == [
        ("invalid_output", True)
    ]


async def test_a_fence_around_the_answer_costs_no_call(provider):
    provider.reply("test/one", f"```markdown\n{ANSWER}\n```")
    result = await afuse(QUESTION, seat(provider))
    assert (provider.counts["test/one"], result.responses[0].content, result.degraded) == (1, ANSWER, [])


async def test_a_providers_model_is_taken_at_its_word(provider):
    provider.reply("test/one", "Answer C")
    result = await afuse(QUESTION, panel("test/one", "test/two"))
    assert (provider.counts["test/one"], result.responses[0].content, result.degraded) == (1, "Answer C", [])


async def test_a_reply_without_claims_is_asked_for_once_more(provider, tmp_path):
    (tmp_path / "mill.md").write_text("The Alder mill was built in 1861.", "utf-8")
    said = json.dumps({"claims": [{"text": "The Alder mill was built in 1861.", "source": 1}]})
    provider.reply("test/one", "1861.", said)
    small = own(provider, "test/one") | {"max_input_tokens": 2048}
    config = panel("test/one", "test/two", documents=tmp_path)
    config = config.model_validate(config.model_dump() | {"panel": [small, "openrouter:test/two"]})
    result = await afuse(QUESTION, config)
    assert "no claim" in provider.calls("test/one")[1].last
    assert result.responses[0].content.startswith("- The Alder mill was built in 1861. [")


WRITTEN = {
    "mended": ((SPOILED, ANSWER), ANSWER, 2, []),
    "the schema, then an answer": ((SCHEMA, ANSWER), ANSWER, 2, []),
    "a fence": ((f"```\n{ANSWER}\n```",), ANSWER, 1, []),
    "it stays spoiled": ((SPOILED,), ANSWER, 2, ["answer_spoiled"]),
}


@pytest.mark.parametrize(("replies", "answer", "calls", "degraded"), WRITTEN.values(), ids=WRITTEN)
async def test_the_synthesizers_answer_is_mended_and_what_streams_is_the_answer(
    provider, replies, answer, calls, degraded
):
    for watched in (False, True):
        provider.reply("test/own", *replies)
        before = provider.counts["test/own"]
        config = panel("test/one", "test/two", synthesizer=own(provider, "test/own"))
        if watched:
            events = [event async for event in astream(QUESTION, config)]
            result = events[-1]["result"]
            assert (deltas(events), {event["attempt"] for event in events if event["type"] == "synthesis.delta"}) == (
                answer,
                {1},
            )
            assert (result["answer"], result["degraded"]) == (answer, degraded)
        else:
            result = await afuse(QUESTION, config)
            assert (result.answer, result.degraded) == (answer, degraded)
            assert result.status == ("partial" if degraded else "ok")
        assert provider.counts["test/own"] - before == calls


async def test_what_was_shown_of_a_long_answer_is_not_written_anew(provider):
    """Marks behind an answer that streams are cut off: nobody can take back what was read."""
    provider.reply("test/own", f"{LONG}<|im_end|>\n<|im_start|>user\nNext question.")
    config = panel("test/one", "test/two", synthesizer=own(provider, "test/own"))
    events = [event async for event in astream(QUESTION, config)]
    assert deltas(events) == events[-1]["result"]["answer"] == LONG.strip()
    assert (provider.counts["test/own"], events[-1]["result"]["degraded"]) == (1, ["answer_spoiled"])
