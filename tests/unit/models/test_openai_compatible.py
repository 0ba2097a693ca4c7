"""What providers say beside the answer is kept, whole and streamed."""

import asyncio
import gc
import warnings

import pytest
from langchain_core.messages import message_chunk_to_message

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.factory import chat_model
from tests.scripted_server import Reply, ToolCall, Usage, cited, faults
from tests.unit.models.models import account, asked, panelist

pytestmark = pytest.mark.loopback

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
FULL = Reply(
    "The mill was built in 1861, and burned down in 1904.",
    reasoning="They ask for a year; I know two.",
    usage=Usage(prompt=50, completion=7, cached=40, reasoning=3),
    cost=0.0012,
    provider="Vendor",
    annotations=[cited("https://example.org/mill", "The mill")],
    chunk_size=4,
)


SEARCH = {"type": "function", "function": {"name": "web_search", "parameters": {"type": "object", "properties": {}}}}


async def answer(one, *, stream, **options):
    bill, deltas = account(one), []
    reply = await asked(one, on=bill, on_delta=deltas.append if stream else None, **options)
    assert "".join(deltas) == (reply.text if stream else "")
    return reply, bill.rows


@BOTH
async def test_reasoning_cost_provider_and_citations_are_kept(scripted, stream):
    scripted.otherwise(FULL)
    reply, (row,) = await answer(panelist(scripted), stream=stream)
    assert (reply.text, reply.truncated) == (FULL.text, False)
    assert reply.message.additional_kwargs["reasoning_content"] == FULL.reasoning
    assert reply.message.additional_kwargs["annotations"] == list(FULL.annotations)
    assert reply.message.response_metadata["provider"] == "Vendor"
    assert (row.input_tokens, row.output_tokens, row.cached_tokens) == (50, 7, 40)
    assert (row.cost_usd, row.cost_source) == (0.0012, "provider")
    assert (row.stage, row.seat, row.model) == ("panelist", "a", "openai:vendor/a")


@BOTH
@pytest.mark.parametrize("usage", [None, Usage(prompt=10, completion=5)])
async def test_what_is_unknown_is_none_and_never_free(scripted, stream, usage):
    scripted.otherwise(Reply("x", usage=usage))
    _, (row,) = await answer(panelist(scripted), stream=stream)
    assert (row.cost_usd, row.cost_source) == (None, "unpriced")
    assert row.input_tokens == (usage and 10)


@BOTH
async def test_a_list_price_stands_in_where_the_provider_does_not_say(scripted, monkeypatch, stream):
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    scripted.otherwise(Reply("x"))
    _, (row,) = await answer(Panelist(model="openrouter:anthropic/claude-opus-4.8"), stream=stream)
    assert row.cost_source == "list_price"
    assert row.cost_usd > 0


@BOTH
async def test_a_cost_of_nothing_is_nothing(scripted, stream):
    scripted.otherwise(Reply("x", cost=0))
    _, (row,) = await answer(panelist(scripted), stream=stream)
    assert (row.cost_usd, row.cost_source) == (0.0, "provider")


@BOTH
async def test_counts_that_cannot_be_cost_no_answer(scripted, monkeypatch, stream):
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    scripted.otherwise(Reply("In 1861.", usage=Usage(prompt=10, completion=5, cached=50)))
    reply, _ = await answer(Panelist(model="openrouter:openai/gpt-5.5"), stream=stream)
    assert reply.text == "In 1861."


@BOTH
async def test_an_answer_at_its_token_limit_is_truncated(scripted, stream):
    scripted.otherwise(Reply("The mill was bui", finish_reason="length"))
    reply, _ = await answer(panelist(scripted), stream=stream)
    assert reply.truncated
    assert reply.text == "The mill was bui"


@BOTH
async def test_leaked_reasoning_is_no_part_of_the_answer(scripted, stream):
    scripted.otherwise(Reply("<think>1861?</think>\n\nIn 1861.\n", chunk_size=3))
    reply, _ = await answer(panelist(scripted), stream=stream)
    assert reply.text == "In 1861."


@BOTH
async def test_tool_calls_come_through(scripted, stream):
    scripted.otherwise(Reply(tool_calls=[ToolCall("web_search", {"query": "mill"}, id="c1")]))
    reply, _ = await answer(panelist(scripted), stream=stream, bound={"tools": [SEARCH]})
    (call,) = reply.message.tool_calls
    assert (call["name"], call["args"], call["id"]) == ("web_search", {"query": "mill"}, "c1")


@pytest.mark.parametrize(
    "reply",
    [
        FULL,
        Reply("It stood in 18", finish_reason="length", chunk_size=4),
        Reply(tool_calls=[ToolCall("web_search", {"query": "mill"}, id="c1"), ToolCall("web_search", {}, id="c2")]),
    ],
)
async def test_an_agent_around_the_model_streams_the_message_that_it_would_get_whole(scripted, reply):
    scripted.otherwise(reply)
    model = (await chat_model(panelist(scripted))).bind_tools([SEARCH])
    whole = await model.ainvoke("When was the mill built?")
    chunks = [chunk async for chunk in model.astream("When was the mill built?")]
    streamed = message_chunk_to_message(sum(chunks[1:], chunks[0]))
    assert len(chunks) > 2 or not reply.text
    for field in ("text", "tool_calls", "invalid_tool_calls", "usage_metadata", "additional_kwargs"):
        assert getattr(streamed, field) == getattr(whole, field), field
    for key in ("finish_reason", "model_name", "model_provider"):
        assert streamed.response_metadata[key] == whole.response_metadata[key]


@BOTH
async def test_broken_arguments_are_an_invalid_call_and_not_an_error(scripted, stream):
    scripted.otherwise(Reply(tool_calls=[ToolCall("web_search", '{"query": "mi')]))
    reply, _ = await answer(panelist(scripted), stream=stream, bound={"tools": [SEARCH]})
    assert len(reply.message.invalid_tool_calls) + len(reply.message.tool_calls) == 1


@BOTH
async def test_a_response_format_goes_out_and_a_cut_off_reply_comes_back(scripted, stream):
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": {"type": "object"}}}
    scripted.otherwise(Reply('{"consensus": ["The mi', finish_reason="length"))
    reply, _ = await answer(panelist(scripted), stream=stream, bound={"response_format": wanted})
    assert scripted.requests[-1].body["response_format"] == wanted
    assert reply.text == '{"consensus": ["The mi'


async def test_a_server_that_refuses_to_count_tokens_is_asked_without(scripted):
    scripted.refuse("vendor/a", "stream_options")
    scripted.reply("vendor/a", "In 1861.")
    reply, (row,) = await answer(panelist(scripted), stream=True)
    assert reply.text == "In 1861."
    assert [bool(request.body.get("stream_options")) for request in scripted.requests] == [True, False]
    assert (row.input_tokens, row.cost_usd) == (None, None)


async def test_a_server_that_refuses_anything_else_is_not_asked_again(scripted):
    scripted.otherwise(faults.unsupported("response_format"))
    with pytest.raises(ModelCallError):
        await answer(panelist(scripted), stream=True)
    assert scripted.counts.total() == 1


@BOTH
@pytest.mark.parametrize("comments", [0, 3])
async def test_comment_lines_are_no_text(scripted, stream, comments):
    scripted.otherwise(Reply("In 1861.", comments=comments))
    reply, _ = await answer(panelist(scripted), stream=stream)
    assert reply.text == "In 1861."


@BOTH
def test_two_plain_runs_in_a_row_work_and_leave_nothing_open(scripted, stream):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            reply, _ = asyncio.run(answer(panelist(scripted), stream=stream))
            assert reply.text == "The scripted answer of vendor/a."
        gc.collect()
    assert [str(one.message) for one in told] == []
    assert scripted.counts.total() == 2
