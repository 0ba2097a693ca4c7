"""Why a model stopped: which replies are whole, which a part, which none; whole and streamed."""

import pytest
from langchain_core.messages import AIMessage

from fusion_tool.models.call import ModelCallError
from fusion_tool.models.finish_reasons import ending_of, unusable_reason
from tests.scripted_server import Reply, faults
from tests.unit.models.models import account, asked, panelist

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
BREAKS = ["insufficient_system_resource", "abort", "network_error"]


@pytest.mark.parametrize(
    ("meta", "ending"),
    [
        ({"finish_reason": "stop"}, None),
        ({"finish_reason": "tool_calls"}, None),
        ({"finish_reason": "a_word_of_next_year"}, None),
        ({}, None),
        ({"finish_reason": "length"}, "limit"),
        ({"stop_reason": "max_tokens"}, "limit"),
        ({"finish_reason": "MAX_TOKENS"}, "limit"),
        ({"finish_reason": "model_length"}, "limit"),
        ({"stop_reason": "model_context_window_exceeded"}, "limit"),
        ({"done_reason": "length"}, "limit"),
        ({"finish_reason": "SAFETY"}, "refusal"),
        ({"finish_reason": "sensitive"}, "refusal"),
        ({"stop_reason": "refusal"}, "refusal"),
        *(({"finish_reason": word}, "interruption") for word in BREAKS),
        ({"finish_reason": "error"}, "error"),
    ],
)
def test_every_vendors_word_is_one_of_ours(meta, ending):
    assert ending_of(AIMessage("x", response_metadata=meta)) == ending


def test_a_word_of_another_type_does_no_harm():
    assert unusable_reason(AIMessage("x", response_metadata={"finish_reason": 1})) is None


async def call(scripted, *replies, stream):
    scripted.reply("vendor/a", *replies)
    one = panelist(scripted)
    bill = account(one)
    reply = await asked(one, on=bill, on_delta=(lambda _: None) if stream else None)
    return reply, bill.rows


@BOTH
@pytest.mark.loopback
async def test_a_reply_at_the_windows_end_is_a_part(scripted, stream):
    reply, rows = await call(scripted, Reply("The tide", finish_reason="model_length"), stream=stream)
    assert (reply.text, reply.truncated, len(rows)) == ("The tide", True, 1)


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("word", BREAKS)
async def test_a_reply_that_its_server_breaks_off_is_asked_for_again_unless_it_was_shown(scripted, word, stream):
    reply, rows = await call(scripted, Reply("The tide", finish_reason=word), "The tide rose.", stream=stream)
    outcome = ("The tide", True, 1) if stream else ("The tide rose.", False, 2)
    assert (reply.text, reply.truncated, len(rows)) == outcome


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize("after", [Reply("", finish_reason="abort"), faults.unauthorized(), faults.garbage()])
async def test_the_part_is_kept_whatever_comes_after_it(scripted, after, stream):
    reply, _ = await call(scripted, Reply("The tide", finish_reason="abort"), after, stream=stream)
    assert (reply.text, reply.truncated) == ("The tide", True)


@BOTH
@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
async def test_nothing_at_all_tells_the_servers_word(scripted, stream):
    scripted.otherwise(Reply("", finish_reason="insufficient_system_resource"))
    one = panelist(scripted)
    bill = account(one)
    with pytest.raises(ModelCallError, match="insufficient_system_resource") as caught:
        await asked(one, on=bill, on_delta=(lambda _: None) if stream else None)
    assert (caught.value.fault.reason, len(bill.rows)) == ("upstream_error", 4)
