"""What an agent's caller sees of a panel at work: its events in the agent's stream, its calls under the agent's run."""

from contextlib import aclosing

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tracers.base import BaseTracer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from fusion_tool import FusionTool
from fusion_tool.testing import ScriptedChat, calls, fake_config
from tests.integration.panel import JUDGE, QUESTION, WRITER, deltas, kinds, panel, verdict
from tests.scripted_server import Gate, Hang, Reply

SEATS = ("test/one", "test/two")
NAME = "fusion_research"
ANSWER = "It was built in 1861, by the river."
ASKED = {"messages": [HumanMessage("When?")]}


@pytest.fixture
def judged(provider):
    provider.otherwise("1861.")
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, ANSWER)
    return provider


def agent_of(tool, *turns, **options):
    turns = turns or (calls(NAME, question=QUESTION), "Done.")
    return create_agent(ScriptedChat(replies=[*turns]), tools=[tool], **options)


def node_of(tool):
    """A plain ToolNode, after a node that calls the tool."""
    graph = StateGraph(MessagesState).add_node("ask", lambda _: {"messages": [calls(NAME, question=QUESTION)]})
    return graph.add_node("tools", ToolNode([tool])).add_edge(START, "ask").add_edge("ask", "tools").compile()


def own_node_of(tool):
    """A caller's own node, which calls the tool itself."""

    async def ask(_):
        return {"messages": [await tool.ainvoke({**calls(NAME, question=QUESTION).tool_calls[0], "type": "tool_call"})]}

    return StateGraph(MessagesState).add_node("ask", ask).add_edge(START, "ask").compile()


OUTER = pytest.mark.parametrize("outer", [agent_of, node_of, own_node_of])


# Events in the outer stream -----------------------------------------------------------------------------------------


@OUTER
async def test_the_runs_events_are_in_the_outer_custom_stream(outer):
    graph = outer(FusionTool(fake_config(answer=ANSWER)))
    events = [event async for event in graph.astream(ASKED, stream_mode="custom")]
    assert (kinds(events)[0], kinds(events)[-1]) == ("run.started", "run.completed")
    assert kinds(events).count("panelist.answered") == 2
    assert len({event["run_id"] for event in events}) == 1
    assert deltas(events) == events[-1]["result"]["answer"] == ANSWER


@OUTER
async def test_they_are_not_doubled_where_subgraphs_are_streamed_too(outer):
    graph = outer(FusionTool(fake_config(answer=ANSWER)))
    events = [event async for _, event in graph.astream(ASKED, stream_mode="custom", subgraphs=True)]
    assert kinds(events).count("run.started") == kinds(events).count("run.completed") == 1
    assert deltas(events) == ANSWER


@pytest.mark.parametrize("outer", [agent_of, node_of])
def test_a_synchronous_agent_streams_them_too(outer):
    events = list(outer(FusionTool(fake_config(answer=ANSWER))).stream(ASKED, stream_mode="custom"))
    assert deltas(events) == events[-1]["result"]["answer"] == ANSWER


@pytest.mark.loopback
async def test_they_come_while_the_panel_works(judged):
    gate = Gate()
    judged.reply("test/two", Reply("1861.", gate=gate))
    seen = []
    async for event in agent_of(FusionTool(panel(*SEATS))).astream(ASKED, stream_mode="custom"):
        seen.append(event["type"])
        if event["type"] == "panelist.answered":
            gate.open()  # the other seat has been waiting for this event to arrive
    assert seen[-1] == "run.completed"


@pytest.mark.loopback
def test_they_come_while_the_panel_works_to_a_synchronous_agent_too(judged):
    gate = Gate()
    judged.reply("test/two", Reply("1861.", gate=gate))
    seen = []
    for event in agent_of(FusionTool(panel(*SEATS))).stream(ASKED, stream_mode="custom"):
        seen.append(event["type"])
        if event["type"] == "panelist.answered":
            gate.open()
    assert seen[-1] == "run.completed"


async def test_parallel_calls_are_told_apart_by_their_runs():
    both = AIMessage(
        "",
        tool_calls=[{"name": NAME, "args": {"question": q}, "id": q, "type": "tool_call"} for q in ("One?", "Two?")],
    )
    graph = agent_of(FusionTool(fake_config(answer=ANSWER)), both, "Done.")
    events = [event async for event in graph.astream(ASKED, stream_mode="custom")]
    runs = {event["run_id"]: event["question"] for event in events if event["type"] == "run.started"}
    assert set(runs.values()) == {"One?", "Two?"}
    for run_id, question in runs.items():
        own = [event for event in events if event["run_id"] == run_id]
        assert deltas(own) == ANSWER
        assert own[-1]["result"]["question"] == question


@pytest.mark.loopback
@pytest.mark.parametrize("mode", ["custom", "updates", "values"])
async def test_the_answer_is_streamed_only_where_somebody_reads_along(judged, mode):
    """An answer that nobody sees being written need not be sent in pieces."""
    async for _ in agent_of(FusionTool(panel(*SEATS))).astream(ASKED, stream_mode=mode):
        pass
    assert bool(judged.calls(WRITER)[0].body.get("stream")) == (mode == "custom")


@pytest.mark.loopback
async def test_a_cached_result_is_told_too(judged):
    graph = agent_of(FusionTool(panel(*SEATS), cache=True), *[calls(NAME, question="Again?"), "Done."] * 2)
    runs = [[event async for event in graph.astream(ASKED, stream_mode="custom")] for _ in range(2)]
    assert kinds(runs[1]) == ["run.started", "run.completed"]
    assert runs[1][-1]["result"]["cached"]
    assert len(judged.calls(WRITER)) == 1


@pytest.mark.loopback
async def test_closing_the_agents_stream_cancels_the_panel(judged):
    judged.otherwise(Hang())
    async with aclosing(agent_of(FusionTool(panel(*SEATS))).astream(ASKED, stream_mode="custom")) as stream:
        async for event in stream:
            if event["type"] == "panelist.started":
                break
        await judged.until(lambda: judged.in_flight == len(SEATS))
    await judged.until(lambda: len(judged.disconnects) == len(SEATS))


# Under the caller's run ---------------------------------------------------------------------------------------------


class Tree(BaseTracer):
    """Keeps every run."""

    def __init__(self):
        super().__init__()
        self.runs = {}

    def _persist_run(self, run):
        pass

    def _on_run_create(self, run):
        self.runs[run.id] = run

    def ancestors(self, run):
        while run.parent_run_id is not None:
            run = self.runs[run.parent_run_id]
            yield run.name


@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("outer", [agent_of, node_of])
async def test_every_inner_call_stands_under_the_tools_run(outer, synchronous):
    tree, graph = Tree(), outer(FusionTool(fake_config()))
    config = {"callbacks": [tree], "run_name": "the caller's"}
    if synchronous:
        graph.invoke(ASKED, config)
    else:
        await graph.ainvoke(ASKED, config)
    inner = [run for run in tree.runs.values() if run.name == "ScriptedChat" and NAME in tree.ancestors(run)]
    assert len(inner) == 4
    for run in inner:
        line = list(tree.ancestors(run))
        assert line.index("fusion") < line.index(NAME) < line.index("the caller's")


@pytest.mark.loopback
@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("synchronous", [False, True])
@pytest.mark.parametrize("handed", ["as a callback", "by a with statement"])
async def test_the_callers_usage_counts_every_inner_call(handed, synchronous):
    graph, usage = agent_of(FusionTool(panel(*SEATS))), UsageMetadataCallbackHandler()

    async def run(config):
        return graph.invoke(ASKED, config) if synchronous else await graph.ainvoke(ASKED, config)

    if handed == "as a callback":
        await run({"callbacks": [usage]})
    else:
        with get_usage_metadata_callback() as usage:
            await run(None)
    assert set(usage.usage_metadata) == {*SEATS, JUDGE, WRITER}
    assert sum(one["total_tokens"] for one in usage.usage_metadata.values()) == 480
