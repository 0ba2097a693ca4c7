"""The answer's tokens in LangGraph's stream mode `messages`: the graph's own, and nobody else's."""

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.tracers.base import BaseTracer
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from fusion_tool import ChatFusion, FusionTool, afuse, build_graph
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, cite, panel, reads, text, verdict
from tests.scripted_server import Cut, Reply

pytestmark = pytest.mark.loopback

ANSWER = "The Alder mill was built in 1861 [1], by the river. It is old [1]."


def asked() -> dict[str, Any]:
    return {"messages": [HumanMessage(QUESTION)]}


@pytest.fixture
def raw(internet):
    """The answer as the synthesizer writes it."""
    internet.page("/mill", text("The Alder mill was built in 1861."))
    mill = cite(internet.url("/mill"))
    return f"The Alder mill was built in 1861 {mill}, by the river [deadbeef]. It is old {mill}."


@pytest.fixture
def config(provider, internet, raw):
    provider.otherwise("It was built in 1861.")
    provider.reply("test/one", reads(internet.url("/mill")), f"Built in 1861 {cite(internet.url('/mill'))}.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, Reply(raw, chunk_size=7))
    return panel("test/one", "test/two", internet=internet)


def around(node: Any, **options: Any) -> Any:
    """A caller's graph around a node."""
    return StateGraph(MessagesState).add_node("panel", node).add_edge(START, "panel").compile(**options)


async def messages_of(graph: Any, inputs: Any = None, *more: Any, **options: Any) -> list[Any]:
    """The messages that a graph streams; with `subgraphs` those of all levels."""
    parts = [part async for part in graph.astream(inputs or asked(), *more, stream_mode="messages", **options)]
    return [(part[1] if options.get("subgraphs") else part)[0] for part in parts]


def merged(messages: list[Any]) -> AIMessageChunk:
    assert {type(message) for message in messages} == {AIMessageChunk}
    assert len({message.id for message in messages}) == 1
    return sum(messages[1:], messages[0])


# The graph's own -----------------------------------------------------------------------------------------------------


async def test_the_final_text_is_streamed_and_merges_to_the_message_of_the_state(config):
    graph = build_graph(config, checkpointer=MemorySaver())
    thread = {"configurable": {"thread_id": "t"}}
    messages = await messages_of(graph, asked(), thread)
    assert len(messages) > 5
    (_, final) = (await graph.aget_state(thread)).values["messages"]
    whole = merged(messages)
    assert (whole.id, whole.content, whole.content_blocks) == (final.id, ANSWER, final.content_blocks)
    assert (final.content, whole.response_metadata) == (ANSWER, final.response_metadata)
    assert [message.chunk_position for message in messages] == [None] * (len(messages) - 1) + ["last"]


async def test_a_question_that_is_no_message_is_answered_in_tokens_too(config):
    whole = merged(await messages_of(build_graph(config), {"question": QUESTION}))
    assert (whole.content, len(whole.content_blocks[0]["annotations"])) == (ANSWER, 2)


async def test_its_pieces_are_those_of_the_events(config):
    stream = build_graph(config).astream(asked(), stream_mode=["custom", "messages"])
    told: dict[str, list[str]] = {"custom": [], "messages": []}
    async for mode, part in stream:
        if mode == "messages" and part[0].text:
            told[mode].append(part[0].text)
        elif mode == "custom" and part["type"] == "synthesis.delta":
            told[mode].append(part["text"])
    assert told["messages"] == told["custom"]
    assert len(told["messages"]) > 5


async def test_a_list_of_sources_is_streamed_last(config):
    messages = await messages_of(build_graph(config.model_copy(update={"list_sources": True})))
    assert messages[-1].text.startswith("\n\nSources\n[1] ")
    assert merged(messages).text.startswith(ANSWER + "\n\nSources\n[1] ")


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_in_a_callers_graph_langgraphs_own_rule_for_subgraphs_holds(config, subgraphs):
    messages = await messages_of(around(build_graph(config)), subgraphs=subgraphs)
    if subgraphs:
        assert merged(messages).content == ANSWER
    else:
        (message,) = messages
        assert (type(message), message.content) == (AIMessage, ANSWER)


async def test_an_answer_that_is_written_anew_is_another_message(config, provider, raw):
    provider.reply(WRITER, Cut(Reply("The first words of an answer", chunk_size=9), after=5))
    provider.reply(JUDGE, verdict(), Reply(raw, chunk_size=7))
    messages = await messages_of(build_graph(config))
    ids = list(dict.fromkeys(message.id for message in messages))
    first, second = (merged([message for message in messages if message.id == one]) for one in ids)
    assert "The first words of an answer".startswith(first.content)
    assert (second.content, second.chunk_position) == (ANSWER, "last")
    assert not first.content_blocks[0].get("annotations")


async def test_an_object_is_streamed_as_json(config, provider, internet):
    provider.reply(WRITER, json.dumps({"year": f"1861 {cite(internet.url('/mill'))}"}))
    schema = {"title": "Year", "type": "object", "properties": {"year": {"type": "string"}}, "required": ["year"]}
    whole = merged(await messages_of(build_graph(config), {**asked(), "answer_schema": schema}))
    assert json.loads(whole.content) == {"year": "1861 [1]"}


async def test_a_run_that_goes_on_behind_its_answer_streams_the_whole_message(config):
    graph, thread = build_graph(config, checkpointer=MemorySaver()), {"configurable": {"thread_id": "t"}}
    before = await messages_of(graph, asked(), thread, interrupt_before=["ground"])
    (message,) = [message async for message, _ in graph.astream(None, thread, stream_mode="messages")]
    assert (message.content, message.id) == (ANSWER, merged(before).id)
    assert (type(message), len(message.content_blocks[0]["annotations"])) == (AIMessage, 2)


async def test_a_second_question_on_a_thread_streams_its_own_message_alone(config):
    graph, thread = build_graph(config, checkpointer=MemorySaver()), {"configurable": {"thread_id": "t"}}
    first = merged(await messages_of(graph, asked(), thread))
    second = merged(await messages_of(graph, asked(), thread))
    assert first.id != second.id
    assert [message.type for message in (await graph.aget_state(thread)).values["messages"]] == ["human", "ai"] * 2


@pytest.mark.filterwarnings("ignore:The v3 streaming protocol")
async def test_the_newer_protocol_has_the_answer_once(config):
    stream = await build_graph(config).astream_events(asked(), version="v3")
    texts = [str(await message.text) async for message in stream.messages]
    assert texts == [ANSWER]


class Calls(BaseTracer):
    """Counts the calls of models that a tracer sees."""

    def __init__(self):
        super().__init__()
        self.models: list[str] = []

    def _persist_run(self, run):
        pass

    def _on_run_create(self, run):
        if run.run_type in ("llm", "chat_model"):
            self.models.append(run.name)


async def test_to_tracers_it_is_no_call_of_a_model():
    models = []
    for mode in ("values", "messages"):
        tracer = Calls()
        async for _ in build_graph(fake_config()).astream(asked(), {"callbacks": [tracer]}, stream_mode=mode):
            pass
        models.append(sorted(tracer.models))
    assert models[0] == models[1]
    assert len(models[0]) == 4


async def test_without_content_for_tracers_it_is_streamed_all_the_same(config):
    messages = await messages_of(build_graph(config.model_copy(update={"trace_content": False})))
    assert merged(messages).content == ANSWER


# Nobody else's -------------------------------------------------------------------------------------------------------


def own_words(messages: list[Any]) -> str:
    return "".join(message.text for message in messages if message.type in ("ai", "AIMessageChunk"))


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("watched", [False, True])
async def test_an_agents_messages_hold_nothing_of_its_tools_panel(config, subgraphs, watched):
    agent = create_agent(
        ScriptedChat(replies=[calls("fusion_research", question=QUESTION), "Done."]), tools=[FusionTool(config)]
    )
    modes = ["messages", "custom"] if watched else ["messages"]
    parts = [part async for part in agent.astream(asked(), stream_mode=modes, subgraphs=subgraphs)]
    messages = [part[-1][0] for part in parts if part[-2] == "messages"]
    assert own_words(messages) == "Done."
    assert [message.type for message in messages if message.type == "tool"] == ["tool"]


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_a_chat_models_answer_is_streamed_once(config, subgraphs):
    async def ask(state):
        return {"messages": [await ChatFusion(config).ainvoke(state["messages"])]}

    messages = await messages_of(around(ask), subgraphs=subgraphs)
    assert own_words(messages) == ANSWER
    assert len({message.id for message in messages}) == 1


@pytest.mark.parametrize("subgraphs", [False, True])
async def test_a_run_that_a_node_starts_by_itself_is_not_in_its_graphs_messages(config, subgraphs):
    async def ask(state):
        result = await afuse(state["messages"][-1].text, config)
        return {"messages": [AIMessage(f"It says: {result.answer}")]}

    assert own_words(await messages_of(around(ask), subgraphs=subgraphs)) == f"It says: {ANSWER}"
