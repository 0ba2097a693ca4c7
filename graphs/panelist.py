"""One seat alone, to see what a model does with its tools before a panel depends on it.

START -> route -> panelist -> audit -> END

It is set up as the panel is; the first panelist is asked, or the first of the context's `models`, by the same node that
the panel runs. `record` holds everything the seat leaves: its answer, what it found, each failure with its reason, the
bill; `audit` counts how many of its citations its own sources carry. A seat that fails is a record too, not an error.
"""

from functools import partial

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from langgraph.types import Send
from typing_extensions import TypedDict

from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.agents.answers import seat_audit
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.nodes.panelist import panelist
from fusion_tool.graph.nodes.route import route
from fusion_tool.graph.runtime import GraphOptions
from fusion_tool.graph.state import FusionInput, FusionState, SeatRecord, SeatTask, records_of_run
from fusion_tool.graph.tracing import RedactedGraph
from fusion_tool.servers.agent_server import AgentGraph, context_schema, graph_factory


class SeatOutput(TypedDict):
    """What the seat left, and its citations by verdict: `supported`, `weak`, `mismatch`, `unknown`."""

    record: SeatRecord
    audit: dict[str, int]


class SeatState(FusionState, SeatOutput):
    """The panel's state, of which `record` and `audit` come out."""


async def audit(state: SeatState) -> SeatOutput:
    """Hold the seat's citations against what it retrieved; no model is asked."""
    (record,) = records_of_run(state)
    return {"record": record, "audit": seat_audit(record).counts}


def build(config: FusionConfig | None) -> AgentGraph:
    """Build the graph of one seat."""
    options = GraphOptions(config)

    def to_the_seat(state: SeatState, runtime: Runtime[FusionConfig]) -> Send:
        run, ask = state["run"], state["asks"][0]  # the first seat of the plan
        seconds = run_seconds(options.config_for(runtime, run))
        return Send("panelist", SeatTask(run=run, wave=1, ask=ask, seats=1, seconds=seconds, spent=[0.0, 0]))

    seat = (
        StateGraph(SeatState, context_schema=context_schema(config), input_schema=FusionInput, output_schema=SeatOutput)
        .add_node("route", partial(route, options=options))
        .add_node("panelist", partial(panelist, options=options), input_schema=SeatTask)
        .add_node("audit", audit)
        .add_edge(START, "route")
        .add_conditional_edges("route", to_the_seat, ["panelist"])
        .add_edge("panelist", "audit")
        .add_edge("audit", END)
        .compile(name="panelist")
    )
    return RedactedGraph.of(seat, config)


graph = graph_factory(build)
