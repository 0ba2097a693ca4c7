"""A streamed message is the one that would have come in one piece, but where it breaks off."""

import pytest
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError
from tests.scripted_server import Cut, Reply, ToolCall, faults
from tests.unit.models.models import account, asked, panelist

TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object", "properties": {}}}}
CALLS = [
    pytest.param([ToolCall("search", {"query": "the mill " * 9}, id="a")], id="one"),
    pytest.param([ToolCall("search", {"query": "x"}, id="a"), ToolCall("search", {"query": "y"}, id="b")], id="two"),
    pytest.param([ToolCall("search", {}, id="a")], id="no arguments"),
    pytest.param([ToolCall("search", '{"query": "the mi', id="a")], id="cut off"),
    pytest.param([ToolCall("search", "query=mill", id="a")], id="no JSON"),
    pytest.param([ToolCall("search", {"q": 1}, id="a"), ToolCall("search", '{"q": ', id="b")], id="one of two cut off"),
]


@pytest.mark.loopback
@pytest.mark.parametrize("calls", CALLS)
async def test_tool_calls_are_the_same_streamed(scripted, calls):
    scripted.otherwise(Reply(tool_calls=calls))
    one = panelist(scripted)
    whole, streamed = [
        (await asked(one, on_first=on_first, bound={"tools": [TOOL]})).message for on_first in (None, lambda: None)
    ]
    assert [request.stream for request in scripted.requests] == [False, True]
    assert type(streamed) is type(whole) is AIMessage
    assert streamed.tool_calls == whole.tool_calls
    assert [(bad["id"], bad["args"]) for bad in streamed.invalid_tool_calls] == [
        (bad["id"], bad["args"]) for bad in whole.invalid_tool_calls
    ]


@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
async def test_after_the_first_token_none_starts_over(scripted):
    scripted.otherwise(Cut(after=2), "Again.")
    one = panelist(scripted)
    bill = account(one)
    with pytest.raises(ModelCallError) as failed:
        await asked(one, on=bill, on_first=lambda: None)
    assert (failed.value.fault.reason, failed.value.model) == ("upstream_error", "openai:vendor/a")
    assert (scripted.counts["vendor/a"], [row.cost_usd for row in bill.rows]) == (1, [None])


@pytest.mark.loopback
async def test_a_server_that_cannot_count_while_it_streams_is_asked_without(scripted):
    scripted.refuse("vendor/a", "stream_options")
    assert (await asked(panelist(scripted), on_first=lambda: None)).text == "The scripted answer of vendor/a."


async def test_a_model_that_cannot_stream_answers_at_once():
    said = AIMessage("In 1861.", response_metadata={"finish_reason": "stop", "cost_usd": 0.5})
    one, deltas = Panelist(model=FakeMessagesListChatModel(responses=[said])), []
    bill = account(one)
    reply = await asked(one, on=bill, on_delta=deltas.append)
    assert (reply.text, deltas, bill.rows[0].cost_usd) == ("In 1861.", ["In 1861."], 0.5)
    assert reply.first_token is not None


@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
async def test_an_error_before_the_first_token_is_tried_again(scripted):
    scripted.otherwise(faults.server_error(), "In 1861.")
    assert (await asked(panelist(scripted), on_first=lambda: None)).text == "In 1861."
