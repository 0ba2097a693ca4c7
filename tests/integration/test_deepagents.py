"""`FusionTool` in a deep agent: called by the main agent, and by a subagent that it sends out."""

import pytest
from deepagents import create_deep_agent
from langchain_core.messages import HumanMessage, ToolMessage

from fusion_tool import FusionResult, FusionTool
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import QUESTION, deltas, kinds

NAME = "fusion_research"
ANSWER = "It was built in 1861, by the river."
ASKED = {"messages": [HumanMessage("When?")]}


def deep_agent(*turns, **options):
    return create_deep_agent(model=ScriptedChat(replies=[*turns]), **options)


@pytest.fixture
def tool():
    return FusionTool(fake_config("a", "b", answer=ANSWER))


async def test_it_calls_the_tool_and_goes_on(tool):
    agent = deep_agent(calls(NAME, question=QUESTION), lambda seen: f"I read: {seen[-1].text[:11]}", tools=[tool])
    state = await agent.ainvoke(ASKED)
    assert state["messages"][-1].text == "I read: It was buil"
    (message,) = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert message.status == "success"
    assert FusionResult.model_validate(message.artifact).answer == ANSWER


def test_a_synchronous_one_does_too(tool):
    state = deep_agent(calls(NAME, question=QUESTION), "Done.", tools=[tool]).invoke(ASKED)
    assert state["messages"][-2].artifact["answer"] == ANSWER


async def test_the_panels_events_are_in_its_stream(tool):
    agent = deep_agent(calls(NAME, question=QUESTION), "Done.", tools=[tool])
    events = [event async for event in agent.astream(ASKED, stream_mode="custom")]
    assert (kinds(events)[0], kinds(events)[-1]) == ("run.started", "run.completed")
    assert deltas(events) == ANSWER


async def test_a_subagent_calls_it_and_its_events_are_in_the_streams_of_subgraphs(tool):
    researcher = {
        "name": "researcher",
        "description": "Researches.",
        "system_prompt": "Use fusion_research.",
        "tools": [tool],
        "model": ScriptedChat(replies=[calls(NAME, question=QUESTION), lambda seen: seen[-1].text[:19]]),
    }
    sent = calls("task", description="Find out when.", subagent_type="researcher")
    agent = deep_agent(sent, "Done.", subagents=[researcher])
    events = [event async for _, event in agent.astream(ASKED, stream_mode="custom", subgraphs=True)]
    assert kinds(events).count("run.completed") == 1
    assert deltas(events) == ANSWER


async def test_it_goes_on_after_a_failed_panel():
    broken = ValueError("the model is on holiday")
    tool = FusionTool(fake_config(broken, broken))
    agent = deep_agent(calls(NAME, question=QUESTION), lambda seen: f"{seen[-1].status}: {seen[-1].text}", tools=[tool])
    said = (await agent.ainvoke(ASKED))["messages"][-1].text
    assert said.startswith("error: PanelFailed: no usable answer")
    assert "on holiday" in said
