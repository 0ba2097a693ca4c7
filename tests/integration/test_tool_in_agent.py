"""`FusionTool` inside a ToolNode and an agent: its callbacks, its stream, its cancellation, its memory."""

import asyncio
from functools import partial
from typing import Annotated

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from typing_extensions import TypedDict

from fusion_tool import ConfigError, FusionTool
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, reads, text, verdict
from tests.scripted_server import Hang, faults

SEATS = ("test/one", "test/two")
NAME = "fusion_research"
BROKEN = ValueError("the model is on holiday")


@pytest.fixture
def judged(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "It was built in 1861.")
    return provider


def a_call(question=QUESTION, call_id="call-1"):
    return {"type": "tool_call", "name": NAME, "args": {"question": question}, "id": call_id}


class Conversation(TypedDict):
    messages: Annotated[list, add_messages]


async def test_a_tool_node_runs_it():
    node = ToolNode([FusionTool(fake_config(answer="Paris."))])
    graph = StateGraph(Conversation).add_node("tools", node).add_edge(START, "tools").add_edge("tools", END).compile()
    asked = AIMessage("", tool_calls=[a_call()])
    state = await graph.ainvoke({"messages": [asked]})
    assert state["messages"][-1].content.startswith("Paris.")
    assert state["messages"][-1].artifact["answer"] == "Paris."


async def test_an_agent_calls_it_and_reads_the_answer():
    model = ScriptedChat(replies=[calls(NAME, question=QUESTION), lambda seen: f"I read: {seen[-1].text[:6]}"])
    agent = create_agent(model, tools=[FusionTool(fake_config(answer="Paris."))])
    state = await agent.ainvoke({"messages": [HumanMessage("Where?")]})
    assert state["messages"][-1].text == "I read: Paris."
    assert state["messages"][-2].artifact["status"] == "ok"


def test_a_synchronous_agent_calls_it_too():
    model = ScriptedChat(replies=[calls(NAME, question=QUESTION), "Done."])
    agent = create_agent(model, tools=[FusionTool(fake_config(answer="Paris."))])
    state = agent.invoke({"messages": [HumanMessage("Where?")]})
    assert state["messages"][-2].content.startswith("Paris.")


async def test_an_agent_goes_on_after_a_failed_run():
    model = ScriptedChat(replies=[calls(NAME, question=QUESTION), lambda seen: f"It said {seen[-1].status}."])
    agent = create_agent(model, tools=[FusionTool(fake_config(BROKEN, BROKEN))])
    state = await agent.ainvoke({"messages": [HumanMessage("Where?")]})
    assert state["messages"][-1].text == "It said error."


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"query": QUESTION}, "question: is missing; there is no 'query'"),
        ({"quesion": QUESTION}, "question: is missing; there is no 'quesion' (did you mean 'question'?)"),
        ({}, "question: is missing"),
        ({"question": ["Where?"]}, "question: expected a text, not a list"),
        ({"question": QUESTION, "context": {"known": "nothing"}}, "context: expected a text, not a table"),
        ({"question": QUESTION, "continues": 5}, "continues: expected a text, not a number"),
        ({"question": QUESTION, "context": None, "continues": None, "instructions": None}, "Paris."),
        ({"question": QUESTION, "depth": 3}, "Paris."),
    ],
)
async def test_arguments_that_a_model_got_wrong_are_for_it_to_read_and_end_no_agent(arguments, told):
    model = ScriptedChat(replies=[AIMessage("", tool_calls=[a_call() | {"args": arguments}]), "Done."])
    agent = create_agent(model, tools=[FusionTool(fake_config(answer="Paris."))])
    state = await agent.ainvoke({"messages": [HumanMessage("Where?")]})
    assert told in state["messages"][-2].text


async def test_wrong_arguments_are_an_error_for_whoever_calls_it_directly():
    tool = FusionTool(fake_config(answer="Paris."))
    for call in (tool.ainvoke, partial(asyncio.to_thread, tool.invoke)):
        with pytest.raises(ConfigError, match=r"^question: is missing; there is no 'quesion'"):
            await call({"quesion": QUESTION})


@pytest.mark.parametrize("checkpointer", [None, MemorySaver()], ids=["without memory", "with memory"])
async def test_parallel_calls_of_one_turn_stay_apart(checkpointer):
    def echo(seen):
        return seen[-1].text.rpartition("# Question")[2].strip()[:6]

    both = AIMessage("", tool_calls=[a_call("First?", "a"), a_call("Second?", "b")])
    config = fake_config(panel=[{"model": ScriptedChat(replies=[echo])}], strategy="solo")
    agent = create_agent(
        ScriptedChat(replies=[both, "Done.", both, "Done."]), tools=[FusionTool(config)], checkpointer=checkpointer
    )
    on = {"configurable": {"thread_id": "t"}}
    for turn in (1, 2):
        state = await agent.ainvoke({"messages": [HumanMessage("Both, please.")]}, on)
        said = [message for message in state["messages"] if isinstance(message, ToolMessage)]
        assert len(said) == (2 * turn if checkpointer else 2)
        assert [m.artifact["question"] for m in said[-2:]] == ["First?", "Second?"]
        assert [m.artifact["answer"] for m in said[-2:]] == ["First?", "Second"]
        assert len({m.artifact["run_id"] for m in said}) == len(said)


async def test_two_calls_in_one_tool_node_stay_apart():
    node = ToolNode([FusionTool(fake_config(answer="Paris."))])
    graph = StateGraph(Conversation).add_node("tools", node).add_edge(START, "tools").add_edge("tools", END)
    asked = AIMessage("", tool_calls=[a_call("First?", "a"), a_call("Second?", "b")])
    state = await graph.compile(checkpointer=MemorySaver()).ainvoke(
        {"messages": [asked]}, {"configurable": {"thread_id": "t"}}
    )
    assert [m.artifact["question"] for m in state["messages"][1:]] == ["First?", "Second?"]


@pytest.mark.loopback
async def test_inner_tokens_do_not_leak_into_the_agents_message_stream(judged, internet):
    internet.page("/mill", text("The mill."))
    judged.reply("test/one", reads(internet.url("/mill")), "LEAK of a seat")
    judged.reply("test/two", "LEAK of another")
    judged.reply(JUDGE, verdict(consensus=["LEAK of the judge"]))
    judged.reply(WRITER, "LEAK of the writer")
    agent = create_agent(
        ScriptedChat(replies=[calls(NAME, question=QUESTION), "The agent's own words."]),
        tools=[FusionTool(panel(*SEATS, internet=internet))],
    )
    stream = agent.astream({"messages": [HumanMessage("When?")]}, stream_mode="messages")
    seen = [message async for message, _ in stream]
    spoken = "".join(message.text for message in seen if isinstance(message, AIMessageChunk))
    assert spoken == "The agent's own words."
    assert not [m for m in seen if not isinstance(m, ToolMessage) and "LEAK" in m.text]


class Watcher(AsyncCallbackHandler):
    """Writes down which models ran, and under which tags and metadata."""

    def __init__(self):
        self.models, self.tags, self.metadata, self.tools = [], [], [], []

    async def on_chat_model_start(self, _serialized, _messages, *, tags=None, metadata=None, **kwargs):
        self.models.append((kwargs.get("invocation_params") or {}).get("_type"))
        self.tags.append(set(tags or ()))
        self.metadata.append(metadata or {})

    async def on_tool_start(self, serialized, _input, **_):
        self.tools.append(serialized["name"])


@pytest.mark.parametrize("face", ["tool", "agent"])
async def test_the_callers_callbacks_tags_and_metadata_reach_every_inner_call(face):
    watcher, tool = Watcher(), FusionTool(fake_config("a", "b"))
    config = {"callbacks": [watcher], "tags": ["mine"], "metadata": {"tenant": "acme"}}
    if face == "tool":
        await tool.ainvoke(a_call(), config)
    else:
        agent = create_agent(ScriptedChat(replies=[calls(NAME, question=QUESTION), "Done."]), tools=[tool])
        await agent.ainvoke({"messages": [HumanMessage("When?")]}, config)
    assert len(watcher.models) == (4 if face == "tool" else 6)
    assert all("mine" in tags for tags in watcher.tags)
    assert all(metadata.get("tenant") == "acme" for metadata in watcher.metadata)
    assert watcher.tools == [NAME]


def test_callbacks_reach_inner_calls_of_the_synchronous_face_too():
    watcher = Watcher()
    FusionTool(fake_config("a", "b")).invoke(a_call(), {"callbacks": [watcher], "tags": ["mine"]})
    assert len(watcher.models) == 4
    assert all("mine" in tags for tags in watcher.tags)


@pytest.mark.loopback
async def test_cancelling_the_agent_cancels_the_panel(judged):
    judged.otherwise(Hang())
    agent = create_agent(ScriptedChat(replies=[calls(NAME, question=QUESTION)]), tools=[FusionTool(panel(*SEATS))])
    task = asyncio.create_task(agent.ainvoke({"messages": [HumanMessage("When?")]}))
    await judged.until(lambda: judged.in_flight == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await judged.until(lambda: len(judged.disconnects) == 2)


@pytest.mark.loopback
async def test_an_agents_own_context_is_not_the_panels(judged):
    """An inner graph inherits the outer one's context; the tool's own configuration must win."""
    other = panel("test/not-asked")
    agent = create_agent(
        ScriptedChat(replies=[calls(NAME, question=QUESTION), "Done."]),
        tools=[FusionTool(panel(*SEATS))],
        context_schema=type(other),
    )
    await agent.ainvoke({"messages": [HumanMessage("When?")]}, context=other)
    assert set(judged.counts) == {*SEATS, JUDGE, WRITER}


@pytest.mark.loopback
async def test_one_tool_serves_many_callers_at_once(judged):
    judged.reply("test/two", faults.unauthorized())
    tool = FusionTool(panel(*SEATS))
    messages = await asyncio.gather(*(tool.ainvoke(a_call(f"Question {n}?", str(n))) for n in range(5)))
    assert [message.artifact["question"] for message in messages] == [f"Question {n}?" for n in range(5)]
    assert {len(message.artifact["failed_models"]) for message in messages} == {1}
