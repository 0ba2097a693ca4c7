"""The fakes are part of the package: what they promise a user's test."""

import asyncio

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool

from fusion_tool import ConfigError, FusionTool, PanelFailed, afuse, fuse
from fusion_tool.graph.result import Analysis
from fusion_tool.testing import ScriptedChat, calls, fake_config

USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


@tool
def look(where: str) -> str:
    """Look."""
    return f"Nothing in {where}."


def test_replies_come_in_order_and_the_last_one_over_and_over():
    model = ScriptedChat(replies=["a", AIMessage("b"), lambda messages: messages[-1].text.upper()])
    assert [model.invoke(said).text for said in ("x", "y", "z", "zz")] == ["a", "b", "Z", "ZZ"]
    assert [prompt[-1].text for prompt in model.prompts] == ["x", "y", "z", "zz"]


def test_an_exception_is_raised_and_the_script_goes_on():
    model = ScriptedChat(replies=[TimeoutError("slow"), "b"])
    with pytest.raises(TimeoutError, match="slow"):
        model.invoke("x")
    assert model.invoke("x").text == "b"


def test_a_script_needs_a_reply():
    with pytest.raises(ValueError, match="replies"):
        ScriptedChat(replies=[])


@pytest.mark.parametrize("size", [1, 4, 1000])
async def test_a_streamed_reply_is_the_same_reply(size):
    reply = calls("look", where="here").model_copy(update={"content": "Let me look 🏭."})
    model = ScriptedChat(replies=[reply], chunk_size=size, cost_usd=0.5)
    whole = await model.ainvoke("x")
    chunks = [chunk async for chunk in model.astream("x")]
    again = list(model.stream("x"))
    for pieces in (chunks, again):
        joined = pieces[0]
        for piece in pieces[1:]:
            joined += piece
        assert (joined.text, joined.tool_calls) == (whole.text, whole.tool_calls)
        assert (joined.usage_metadata, joined.response_metadata) == (whole.usage_metadata, whole.response_metadata)
    assert max(len(chunk.text) for chunk in chunks) <= size


@pytest.mark.parametrize("usage", [None, USAGE])
async def test_every_call_reports_the_usage_it_was_given(usage):
    model = ScriptedChat(replies=["a"], usage=usage)
    assert (await model.ainvoke("x")).usage_metadata == usage


def test_a_replys_own_usage_wins():
    model = ScriptedChat(replies=[AIMessage("a", usage_metadata=USAGE)])
    assert model.invoke("x").usage_metadata == USAGE


async def test_an_agent_can_be_played_with_it():
    model = ScriptedChat(replies=[calls("look", where="here"), lambda seen: f"I saw: {seen[-1].text}"])
    state = await create_agent(model, tools=[look]).ainvoke({"messages": [HumanMessage("?")]})
    assert state["messages"][-1].text == "I saw: Nothing in here."


def test_what_it_costs_is_in_the_bill():
    seat = {"model": ScriptedChat(replies=["a"], cost_usd=0.25, usage=USAGE)}
    (row,) = fuse("Why?", fake_config(panel=[seat], strategy="solo")).usage.calls
    assert (row.cost_usd, row.cost_source, row.input_tokens) == (0.25, "provider", 7)


async def test_a_seat_calls_tools_with_it():
    seat = ScriptedChat(replies=[calls("look", where="here"), "Nothing there."])
    result = await afuse("Why?", fake_config(panel=[{"model": seat}], strategy="solo"), panel_tools=[look])
    assert (result.answer, result.responses[0].tool_calls) == ("Nothing there.", 1)
    assert "Nothing in here." in seat.prompts[1][-1].text


def test_by_default_two_seats_agree_and_nothing_is_missing():
    result = fuse("Why?", fake_config(answer="Because."))
    assert (result.answer, result.status, result.degraded) == ("Because.", "ok", [])
    assert [one.content for one in result.responses] == ["Because.", "Because."]
    assert result.analysis == Analysis(
        consensus=[], contradictions=[], partial_coverage=[], unique_insights=[], blind_spots=[]
    )


def test_each_seat_says_its_own():
    result = fuse("Why?", fake_config("a", "b", ValueError("c"), answer="Because."))
    assert [(one.seat, one.content) for one in result.responses] == [("scripted-1", "a"), ("scripted-2", "b")]
    assert [(one.seat, one.message) for one in result.failed_models] == [("scripted-3", "c")]


def test_the_judge_may_be_scripted_too():
    result = fuse("Why?", fake_config("a", "b", analysis="No JSON here."))
    assert result.degraded == ["analysis_unavailable"]


def test_a_failure_can_be_rehearsed():
    broken = ValueError("down")
    with pytest.raises(PanelFailed):
        fuse("Why?", fake_config(broken, broken))
    message = FusionTool(fake_config(broken)).invoke(
        {"type": "tool_call", "name": "fusion_research", "args": {"question": "Why?"}, "id": "1"}
    )
    assert message.status == "error"


def test_one_configuration_serves_many_runs_and_loops():
    config = fake_config("a", "b", answer="Because.")
    answers = [asyncio.run(afuse("Why?", config)).answer for _ in range(2)]
    assert [*answers, fuse("Why?", config).answer] == ["Because."] * 3


def test_a_wrong_override_is_named():
    with pytest.raises(ConfigError, match="nonsense"):
        fake_config(nonsense=1)


def test_more_than_eight_seats_are_refused():
    with pytest.raises(ConfigError, match="panel"):
        fake_config(*["a"] * 9)
