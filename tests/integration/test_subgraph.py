"""The panel inside a caller's own graph, on the caller's own threads."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import END, START, StateGraph, add_messages
from typing_extensions import TypedDict

from fusion_tool import ConfigError, FusionConfig, FusionResult, PanelFailed, build_graph
from tests.scripted_server import Request, ScriptedServer, faults

pytestmark = pytest.mark.loopback

MARS, MOON = "What does Mars weigh?", "What does the Moon weigh?"


class Conversation(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


@dataclass(frozen=True)
class Tenant:
    """A caller's own context."""

    name: str


@pytest.fixture
def panel(scripted: ScriptedServer) -> FusionConfig:
    scripted.otherwise(lambda request: f"{request.model} says: {asked(request)}")
    return panel_of(scripted, "one", "two")


def panel_of(server: ScriptedServer, *models: str) -> FusionConfig:
    seats = tuple({"model": model, "base_url": server.url} for model in models)
    return FusionConfig(panel=seats, search=None, bash="off")


def asked(request: Request) -> str:
    """Which of the two questions a prompt is about; both, where runs are mixed."""
    return " and ".join(question for question in (MARS, MOON) if question in request.prompt)


def embedded(inner: Any, **options: Any) -> Any:
    """A caller's graph that says something before the panel and after it."""
    return (
        StateGraph(Conversation, context_schema=Tenant)
        .add_node("polish", lambda _: {"messages": [AIMessage("Let me ask around.")]})
        .add_node("fusion", inner)
        .add_node("sign", lambda state: {"messages": [AIMessage(f"Signed: {state['messages'][-1].text}")]})
        .add_edge(START, "polish")
        .add_edge("polish", "fusion")
        .add_edge("fusion", "sign")
        .add_edge("sign", END)
        .compile(**options)
    )


def on(thread: str) -> dict[str, Any]:
    return {"configurable": {"thread_id": thread}}


async def test_it_answers_the_last_human_message_of_the_state_it_shares(panel):
    graph = embedded(build_graph(panel))
    state = await graph.ainvoke({"messages": [HumanMessage(MOON)]})
    texts = [message.text for message in state["messages"]]
    assert texts == [MOON, "Let me ask around.", f"one says: {MOON}", f"Signed: one says: {MOON}"]


async def test_a_parents_context_of_another_type_leaves_the_graphs_own_configuration(panel, scripted):
    await embedded(build_graph(panel)).ainvoke({"messages": [HumanMessage(MOON)]}, context=Tenant("acme"))
    assert set(scripted.counts) == {"one", "two"}


async def test_a_configuration_as_the_parents_context_wins_over_the_graphs_own(panel, scripted):
    context = panel_of(scripted, "three")
    await embedded(build_graph(panel)).ainvoke({"messages": [HumanMessage(MOON)]}, context=context)
    assert set(scripted.counts) == {"three"}


async def test_without_any_configuration_the_error_names_both_cures(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"OPENROUTER_API_KEY.*'local'"):
        await embedded(build_graph()).ainvoke({"messages": [HumanMessage(MOON)]}, context=Tenant("acme"))


async def test_its_progress_reaches_the_parents_stream(panel):
    graph = embedded(build_graph(panel))
    stream = graph.astream({"messages": [HumanMessage(MOON)]}, stream_mode="custom", subgraphs=True)
    kinds = [event["type"] async for _, event in stream]
    assert (kinds[0], kinds.count("panelist.answered"), kinds[-1]) == ("run.started", 2, "run.completed")


async def test_a_failed_panel_fails_the_parent_with_every_seats_reason(panel, scripted):
    scripted.otherwise(faults.unauthorized())
    with pytest.raises(PanelFailed) as failure:
        await embedded(build_graph(panel)).ainvoke({"messages": [HumanMessage(MOON)]})
    assert [row["reason"] for row in failure.value.failed_models] == ["auth", "auth"]


async def test_every_state_that_a_checkpointer_keeps_is_plain_json(panel):
    graph = build_graph(panel, checkpointer=MemorySaver())
    await graph.ainvoke({"question": MOON, "context": "It is rock."}, on("t"))
    states = [snapshot.values async for snapshot in graph.aget_state_history(on("t"))]
    assert [json.loads(json.dumps(values)) for values in states] == states
    assert FusionResult.model_validate(states[0]["result"]).question == MOON


async def test_messages_aside_the_state_of_a_conversation_is_plain_json(panel):
    graph = build_graph(panel, checkpointer=MemorySaver())
    await graph.ainvoke({"messages": [HumanMessage(MOON)]}, on("t"))
    values = (await graph.aget_state(on("t"))).values
    rest = {name: value for name, value in values.items() if name != "messages"}
    assert json.loads(json.dumps(rest)) == rest
    assert [message.type for message in values["messages"]] == ["human", "ai"]


def question(text: str) -> dict[str, Any]:
    return {"question": text}


def message(text: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text)]}


@pytest.mark.parametrize("first", [question, message])
@pytest.mark.parametrize("second", [question, message])
async def test_a_second_question_on_a_thread_is_answered_by_itself(panel, first, second):
    graph = build_graph(panel, checkpointer=MemorySaver())
    await graph.ainvoke(first(MARS), on("t"))
    state = await graph.ainvoke(second(MOON), on("t"))
    result = FusionResult.model_validate(state["result"])
    assert result.question == MOON
    assert [response.seat for response in result.responses] == ["one", "two"]
    assert result.usage.input_tokens == 100 * len(result.usage.calls)
    assert {response.wave for response in result.responses} == {1}


async def test_what_was_known_to_the_first_question_is_not_told_to_the_second(panel, scripted):
    graph = build_graph(panel, checkpointer=MemorySaver())
    await graph.ainvoke({"question": MARS, "context": "The red one."}, on("t"))
    before = len(scripted.requests)
    await graph.ainvoke({"question": MOON}, on("t"))
    later = [request.prompt for request in scripted.requests[before:]]
    assert later
    assert not [prompt for prompt in later if "The red one." in prompt or MARS in prompt]


@pytest.mark.parametrize("second", [question, message])
async def test_a_question_after_a_failed_one_is_answered_by_itself(panel, scripted, second):
    scripted.reply("broken", faults.unauthorized())
    graph = build_graph(checkpointer=MemorySaver())
    with pytest.raises(PanelFailed):
        await graph.ainvoke(question(MARS), on("t"), context=panel_of(scripted, "broken"))
    state = await graph.ainvoke(second(MOON), on("t"), context=panel)
    assert state["result"]["question"] == MOON
    assert not [row for row in state["result"]["failed_models"] if "broken" in row["model"]]


async def test_a_conversation_is_the_context_of_its_last_question(panel, scripted):
    graph = embedded(build_graph(panel), checkpointer=MemorySaver())
    await graph.ainvoke(message(MARS), on("t"))
    before = len(scripted.requests)
    await graph.ainvoke(message(MOON), on("t"))
    seat = next(request for request in scripted.requests[before:] if request.model == "two")
    assert f"ai: Signed: one says: {MARS}" in seat.prompt


async def test_threads_do_not_share_anything(panel):
    graph = build_graph(panel, checkpointer=MemorySaver())
    await graph.ainvoke(question(MARS), on("mars"))
    await graph.ainvoke(question(MOON), on("moon"))
    results = [(await graph.aget_state(on(thread))).values["result"] for thread in ("mars", "moon")]
    assert [result["question"] for result in results] == [MARS, MOON]
    assert results[0]["run_id"] != results[1]["run_id"]


def test_the_synchronous_call_says_what_to_call_instead(panel):
    with pytest.raises(TypeError, match=r"No synchronous function provided to \"route\".*\n?.*(ainvoke|async)"):
        build_graph(panel).invoke({"question": MOON})


def test_nothing_is_asked_by_a_synchronous_call(panel, scripted):
    with pytest.raises(TypeError):
        build_graph(panel).invoke({"question": MOON})
    assert not scripted.requests
