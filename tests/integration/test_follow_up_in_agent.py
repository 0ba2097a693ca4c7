"""An agent with a real loop: it hands over research, edits by itself, asks on from an answer, and shows the sources."""

import re
from dataclasses import dataclass, field
from typing import Annotated

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from pydantic import BaseModel

from fusion_tool import ConfigError, FusionResult, FusionTool, Panelist
from fusion_tool.models.factory import chat_model
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, fenced, panel, reads, text, verdict
from tests.scripted_server import Reply, ToolCall

SEATS = ("test/one", "test/two")
AGENT = "test/agent"
NAME = "fusion_research"
NEXT = "Who owned the Alder mill in 1871?"
BUILT = "The Alder mill was built in 1861"
OWNED = "Ida Brandt owned the Alder mill in 1871"
FORM = "One sentence, without figures of speech."


def asks(question, **more):
    return Reply(tool_calls=[ToolCall(NAME, {"question": question, **more})])


def edits(old, new):
    return Reply(tool_calls=[ToolCall("edit_note", {"old": old, "new": new})])


def last_id(prompt):
    """The id in the closing line of the last answer that the agent has read."""
    return re.findall(r"\(id (\w+); Panel:", prompt)[-1]


# The agent ----------------------------------------------------------------------------------------------------------


@pytest.mark.loopback
async def test_it_hands_over_research_keeps_its_edit_loop_asks_on_and_shows_the_sources(provider, internet):
    note = ["Built: ?\nOwner: ?"]

    @tool
    def edit_note(old: str, new: str) -> str:
        """Replace a passage of the note."""
        if note[0].count(old) != 1:
            return f"{old!r} does not stand there once:\n{note[0]}"
        note[0] = note[0].replace(old, new)
        return note[0]

    old, new = internet.url("/mill"), internet.url("/owner")
    internet.page("/mill", text(f"{BUILT}."))
    internet.page("/owner", text(f"{OWNED}."))
    first, second = f"{BUILT} {cite(old)}.", f"{OWNED} {cite(new)}. {BUILT} {cite(old)}."
    for seat in SEATS:
        provider.reply(seat, reads(old), first, reads(new), second)
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, first, second)
    provider.reply(
        AGENT,
        asks(QUESTION, instructions=FORM),
        edits("?", "1861"),  # it stands there twice: the agent reads why, and mends its call
        edits("Built: ?", "Built: 1861"),
        lambda request: asks(NEXT, continues=last_id(request.prompt)),
        edits("Owner: ?", "Owner: Ida Brandt"),
        lambda request: request.prompt.rpartition("\n\nSources\n")[2].partition("\n\n(id ")[0],
    )
    research = FusionTool(panel(*SEATS, internet=internet))
    agent = create_agent(
        await chat_model(Panelist(model=f"openrouter:{AGENT}")), tools=[research, edit_note], system_prompt="Keep it."
    )
    state = await agent.ainvoke({"messages": [HumanMessage("Fill in the note.")]})

    assert note == ["Built: 1861\nOwner: Ida Brandt"]
    # The seats are asked twice each, to look and to answer, in each of two runs; no edit asks anybody.
    assert provider.counts == {SEATS[0]: 4, SEATS[1]: 4, JUDGE: 2, WRITER: 2, AGENT: 6}
    assert [request.path for request in internet.requests] == ["/mill", "/owner"]
    told = [message for message in state["messages"] if isinstance(message, ToolMessage) and message.artifact]
    results = [FusionResult.model_validate(message.artifact) for message in told]
    assert [result.continues for result in results] == [None, results[0].run_id]
    assert {citation.url: citation.from_run for citation in results[1].citations} == {new: None, old: results[0].run_id}
    assert state["messages"][-1].text == f"[1] {new}\n[2] {old} (read in an earlier run)"
    # How to write is for the writer alone, and for the run that it was said of.
    assert [FORM in request.prompt for request in provider.calls(WRITER)] == [True, False]
    assert not any(FORM in request.prompt for seat in SEATS for request in provider.calls(seat))
    assert [any(part.startswith("Question:") for part in fenced(one)) for one in provider.calls(SEATS[0])] == [
        *(False, False),
        *(True, True),
    ]


# The id -------------------------------------------------------------------------------------------------------------


def a_call(question="Where?", call_id="call-1", **more):
    return {"type": "tool_call", "name": NAME, "args": {"question": question, **more}, "id": call_id}


async def test_an_unknown_id_is_an_error_that_names_the_known_ones():
    research = FusionTool(fake_config(answer="Paris."))
    message = await research.ainvoke(a_call(continues="1861"))
    assert message.status == "error"
    assert message.content == (
        "ConfigError: continues: no earlier answer has the id '1861'; there is none yet: leave it out"
    )
    ids = [(await research.ainvoke(a_call())).artifact["run_id"] for _ in range(2)]
    message = await research.ainvoke(a_call(continues="1861"))
    assert message.content.endswith(f"; take one of {', '.join(ids)}, or leave it out")
    assert len(message.content.splitlines()) == 1
    with pytest.raises(ConfigError, match="no earlier answer has the id"):
        await research.ainvoke({"question": "Where?", "continues": "1861"})


async def test_a_bounded_number_of_answers_is_remembered():
    research = FusionTool(fake_config(answer="Paris."))
    ids = [(await research.ainvoke(a_call())).artifact["run_id"] for _ in range(21)]
    assert (await research.ainvoke(a_call(continues=ids[0]))).status == "error"
    assert (await research.ainvoke(a_call(continues=ids[1]))).artifact["continues"] == ids[1]


@pytest.mark.parametrize("face", ["invoke", "ainvoke"])
async def test_both_faces_take_it(face):
    research = FusionTool(fake_config(answer="Paris."))
    first = (await research.ainvoke(a_call())).artifact["run_id"]
    call = a_call(continues=f" {first} ")
    message = research.invoke(call) if face == "invoke" else await research.ainvoke(call)
    assert message.artifact["continues"] == first


def agent_of(research, *replies, **more):
    return create_agent(ScriptedChat(replies=[*replies, "Done."]), tools=[research], **more)


def told_by(state):
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


async def test_a_conversation_is_not_told_of_anothers_answers():
    research = FusionTool(fake_config(answer="Paris."))
    asked = {"messages": [HumanMessage("Where?")]}
    (mine,) = told_by(await agent_of(research, calls(NAME, question="Where?")).ainvoke(asked))
    (told,) = told_by(await agent_of(research, calls(NAME, question="Where?", continues="1861")).ainvoke(asked))
    assert (mine.status, told.status) == ("success", "error")
    assert mine.artifact["run_id"] not in told.content
    assert told.content.endswith("there is none yet: leave it out")


async def test_a_conversation_that_outlives_the_tool_asks_on():
    memory, on = InMemorySaver(), {"configurable": {"thread_id": "t"}}
    asked = {"messages": [HumanMessage("Where?")]}
    first = FusionTool(fake_config(answer="Paris."))
    (message,) = told_by(await agent_of(first, calls(NAME, question="Where?"), checkpointer=memory).ainvoke(asked, on))
    run_id = message.artifact["run_id"]
    anew = FusionTool(fake_config(answer="Paris."))
    again = agent_of(anew, calls(NAME, question="And then?", continues=run_id), checkpointer=memory)
    assert told_by(await again.ainvoke(asked, on))[-1].artifact["continues"] == run_id


class ValidatedState(BaseModel):
    """A conversation as an object of pydantic's."""

    messages: Annotated[list, add_messages]


@dataclass
class DataState:
    """A conversation as a dataclass."""

    messages: Annotated[list, add_messages] = field(default_factory=list)


class ChatState(MessagesState):
    """A conversation under another name."""

    chat: Annotated[list, add_messages]


async def answer_in(schema, research, *messages, key="messages", **more):
    """What the tool says to a call behind `messages`, in a graph with that kind of state."""
    node = ToolNode([research], messages_key=key)
    graph = StateGraph(schema).add_node("tools", node).add_edge(START, "tools").compile()
    asked = AIMessage("", tool_calls=[a_call(call_id="call-2", **more)])
    return (await graph.ainvoke({key: [*messages, asked]}))[key][-1]


@pytest.mark.parametrize("schema", [MessagesState, ValidatedState, DataState])
async def test_a_conversation_is_read_whatever_kind_of_state_it_stands_in(schema):
    first = await FusionTool(fake_config(answer="Paris.")).ainvoke(a_call())
    anew = FusionTool(fake_config(answer="Paris."))
    told = await answer_in(schema, anew, first, continues=first.artifact["run_id"])
    assert (told.status, told.artifact["continues"]) == ("success", first.artifact["run_id"])
    told = await answer_in(schema, anew, continues="1861")
    assert told.content.endswith("there is none yet: leave it out")


async def test_nor_is_one_under_another_name_told_of_anothers_answers():
    research = FusionTool(fake_config(answer="Paris."))
    await research.ainvoke(a_call())
    told = await answer_in(ChatState, research, key="chat", continues="1861")
    assert told.content.endswith("there is none yet: leave it out")


@pytest.mark.parametrize("run_id", [["1861"], {"id": 1861}, 1861, None])
async def test_an_artifact_of_another_tool_is_no_earlier_answer(run_id):
    another = ToolMessage("Trained.", tool_call_id="call-1", artifact={"run_id": run_id, "schema_version": 1})
    told = await answer_in(MessagesState, FusionTool(fake_config(answer="Paris.")), another, continues="1861")
    assert told.content.endswith("there is none yet: leave it out")


async def test_an_answer_of_another_version_is_asked_for_anew():
    first = await FusionTool(fake_config(answer="Paris.")).ainvoke(a_call())
    first.artifact["of_a_later_version"] = True
    run_id = first.artifact["run_id"]
    told = await answer_in(MessagesState, FusionTool(fake_config(answer="Paris.")), first, continues=run_id)
    assert told.status == "error"
    assert told.content == (
        "ConfigError: continues: the answer of that id is none that this version reads; leave it out, and ask anew"
    )
