"""A streamed message is the one that would have come in one piece, but where it breaks off.

What of a message is its answer, in one piece or in any number of pieces.
"""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.streaming import ReasoningFilter, strip_reasoning
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


pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "<th", "ink>", "<", "/think>", " ", "\n", "word", "<b>"])
    | st.text(max_size=3)
)


def streamed(deltas):
    stream = ReasoningFilter()
    return "".join([*(stream.feed(delta) for delta in deltas), stream.close()])


@given(pieces, st.data())
@example(["<think>a</think> <think>b</think>\n\nword \n"], None)
def test_every_way_of_cutting_says_the_same(texts, data):
    text = "".join(texts)
    whole = strip_reasoning(text)
    assert streamed(texts) == streamed(text) == whole
    if data is not None:
        cut = data.draw(st.integers(0, len(text)))
        assert streamed([text[:cut], text[cut:]]) == whole


@given(pieces)
def test_an_answer_has_no_white_space_at_its_ends_and_no_reasoning_in_front(texts):
    answer = strip_reasoning("".join(texts))
    assert answer == answer.strip()
    assert not (answer.startswith("<think>"))


@given(st.text())
def test_a_text_without_reasoning_stands_as_it_is(text):
    assert strip_reasoning(f"x{text}y") == f"x{text}y"


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
    assert strip_reasoning(content) == answer


def test_what_is_certain_is_passed_on_at_once():
    stream = ReasoningFilter()
    assert [stream.feed(part) for part in ("<th", "ink>a</think> ", "The", " ", "answer", "\n")] == [
        "",
        "",
        "The",
        "",
        " answer",
        "",
    ]
    assert stream.close() == ""
