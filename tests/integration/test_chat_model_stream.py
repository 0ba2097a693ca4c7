"""`ChatFusion` while it answers: pieces as they come, what a stream cannot take back, who sees it, who ends it."""

import asyncio
from contextlib import aclosing

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import AsyncCallbackHandler, UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.base import BaseTracer
from langgraph.graph import START, MessagesState, StateGraph

from fusion_tool import ChatFusion
from fusion_tool.api.chat_messages import AnswerRestarted
from fusion_tool.testing import fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Cut, Gate, Hang, Reply, faults

SEATS = ("test/one", "test/two")
ANSWER = "The Alder mill was built in 1861, by the river."


@pytest.fixture
def judged(provider):
    provider.otherwise("1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, ANSWER)
    return provider


# Piece by piece -----------------------------------------------------------------------------------------------------


async def test_the_answer_comes_in_pieces_and_its_metadata_with_the_last():
    chunks = [chunk async for chunk in ChatFusion(fake_config(answer=ANSWER)).astream(QUESTION)]
    assert len(chunks) > 3
    assert "".join(chunk.text for chunk in chunks) == ANSWER
    assert [chunk.chunk_position for chunk in chunks] == [None] * (len(chunks) - 1) + ["last"]
    assert [bool(chunk.response_metadata) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]


@pytest.mark.loopback
def test_a_synchronous_stream_does_not_wait_for_the_end(judged):
    """The writer falls silent after its first words; they are there, and closing the stream ends its request."""
    judged.reply(WRITER, Hang(Reply(ANSWER), after=4))
    stream = ChatFusion(panel(*SEATS)).stream(QUESTION)
    assert next(stream).text
    assert judged.in_flight == 1
    stream.close()
    judged.wait_until(lambda: [left.model for left in judged.disconnects] == [WRITER])


@pytest.mark.loopback
async def test_closing_an_asynchronous_stream_ends_its_request(judged):
    judged.reply(WRITER, Hang(Reply(ANSWER), after=4))
    async with aclosing(ChatFusion(panel(*SEATS)).astream(QUESTION)) as stream:
        assert (await anext(stream)).text
    await judged.until(lambda: [left.model for left in judged.disconnects] == [WRITER])


@pytest.mark.loopback
async def test_cancelling_the_caller_cancels_the_panel(judged):
    judged.otherwise(Hang())
    tasks = asyncio.all_tasks()
    task = asyncio.create_task(ChatFusion(panel(*SEATS)).ainvoke(QUESTION))
    await judged.until(lambda: judged.in_flight == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await judged.until(lambda: len(judged.disconnects) == 2)
    assert asyncio.all_tasks() == tasks


# What cannot be taken back ------------------------------------------------------------------------------------------


@pytest.mark.loopback
@pytest.mark.parametrize("sync", [False, True], ids=["astream", "stream"])
async def test_an_answer_that_is_written_anew_after_its_first_token_ends_the_stream(judged, sync):
    judged.reply(WRITER, Cut(Reply("The first words of an answer", chunk_size=9), after=5))
    judged.reply(JUDGE, verdict(), ANSWER)
    model, said = ChatFusion(panel(*SEATS)), []

    async def listen():
        if sync:
            said.extend(chunk.text for chunk in model.stream(QUESTION))
        else:
            async for chunk in model.astream(QUESTION):
                said.append(chunk.text)  # noqa: PERF401 - what came before the error

    with pytest.raises(AnswerRestarted) as failure:
        await listen()
    assert said
    assert "The first words of an answer".startswith("".join(said))
    assert failure.value.result["answer"] == ANSWER, "it is paid for"


@pytest.mark.loopback
async def test_before_the_first_token_another_writer_takes_over_unseen(judged):
    judged.reply(WRITER, faults.unauthorized())
    judged.reply(JUDGE, verdict(), ANSWER)
    chunks = [chunk async for chunk in ChatFusion(panel(*SEATS)).astream(QUESTION)]
    assert "".join(chunk.text for chunk in chunks) == ANSWER


@pytest.mark.loopback
async def test_an_answer_that_is_not_streamed_is_simply_the_other_writers(judged):
    judged.reply(WRITER, Cut())
    judged.reply(JUDGE, verdict(), ANSWER)
    assert (await ChatFusion(panel(*SEATS)).ainvoke(QUESTION)).text == ANSWER


@pytest.mark.loopback
async def test_where_nobody_reads_along_nothing_is_streamed(judged):
    await ChatFusion(panel(*SEATS)).ainvoke(QUESTION)
    assert not judged.calls(WRITER)[0].body.get("stream")


# Who sees it --------------------------------------------------------------------------------------------------------


class Counter(AsyncCallbackHandler):
    def __init__(self):
        self.models = 0

    async def on_chat_model_start(self, *_, **__):
        self.models += 1


class Tree(BaseTracer):
    """Keeps every run."""

    def __init__(self):
        super().__init__()
        self.runs = []

    def _persist_run(self, run):
        pass

    def _on_run_create(self, run):
        self.runs.append(run)

    def named(self, name):
        return [run for run in self.runs if run.name == name]


async def by_ainvoke(model, **config):
    await model.ainvoke(QUESTION, config)


async def by_invoke(model, **config):
    model.invoke(QUESTION, config)


async def by_astream(model, **config):
    async for _ in model.astream(QUESTION, config):
        pass


async def by_stream(model, **config):
    for _ in model.stream(QUESTION, config):
        pass


async def by_chain(model, **config):
    await (RunnableLambda(lambda text: text) | model).ainvoke(QUESTION, config)


FACES = pytest.mark.parametrize("face", [by_ainvoke, by_invoke, by_astream, by_stream, by_chain])


@FACES
async def test_to_a_callback_it_is_one_call_of_one_model_with_the_whole_bill(face):
    counter, usage = Counter(), UsageMetadataCallbackHandler()
    await face(ChatFusion(fake_config()), callbacks=[counter, usage])
    assert counter.models == 1
    assert {name: one["total_tokens"] for name, one in usage.usage_metadata.items()} == {"fusion": 480}


@pytest.mark.loopback
@pytest.mark.usefixtures("judged")
@FACES
async def test_tokens_are_counted_once_where_they_are_counted_by_a_with_statement(face):
    with get_usage_metadata_callback() as usage:
        await face(ChatFusion(panel(*SEATS)))
    assert list(usage.usage_metadata) == ["fusion"]
    assert usage.usage_metadata["fusion"]["input_tokens"] == 400


@pytest.mark.parametrize("face", [by_ainvoke, by_invoke, by_chain])
async def test_a_tracer_sees_the_run_inside_the_call(face):
    tree = Tree()
    await face(ChatFusion(fake_config()), callbacks=[tree], tags=["mine"], metadata={"tenant": "acme"})
    (call,), (inside,) = tree.named("ChatFusion"), tree.named("fusion")
    assert inside.parent_run_id == call.id
    inner = tree.named("ScriptedChat")
    assert len(inner) == 4
    assert {run.trace_id for run in inner} == {call.trace_id}
    assert all("mine" in run.tags and run.metadata["tenant"] == "acme" for run in inner)


async def test_in_a_graph_its_tokens_are_streamed_once_and_no_drafts():
    model = ChatFusion(fake_config("A draft.", "Another draft.", answer=ANSWER))

    async def answer(state):
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState).add_node("answer", answer).add_edge(START, "answer").compile()
    stream = graph.astream({"messages": [HumanMessage(QUESTION)]}, stream_mode="messages", subgraphs=True)
    said = [message.text async for _, (message, _) in stream if isinstance(message, AIMessageChunk)]
    assert "".join(said) == ANSWER
    assert len(said) > 3


async def test_it_is_the_model_of_an_agent_without_tools():
    agent = create_agent(ChatFusion(fake_config(answer=ANSWER)), system_prompt="Be brief.")
    state = await agent.ainvoke({"messages": [HumanMessage(QUESTION)]})
    assert state["messages"][-1].text == ANSWER


@pytest.mark.loopback
async def test_two_streams_at_once_stay_apart(judged):
    gate = Gate()
    judged.reply(WRITER, Reply("The first.", gate=gate), Reply("The second.", gate=gate))
    model = ChatFusion(panel(*SEATS))
    streams = asyncio.gather(by_text(model, "One?"), by_text(model, "Two?"))
    await judged.until(lambda: len(judged.calls(WRITER)) == 2)
    gate.open()
    assert set(await streams) == {"The first.", "The second."}


async def by_text(model, question):
    return "".join([chunk.text async for chunk in model.astream(question)])
