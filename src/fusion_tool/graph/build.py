"""The graph, as its drawing shows it.

START -> route -> fan_out -> panelist (one Send a seat) -> judge -> synthesize -> ground -> END
                     ^                                      |
                     +------------- next wave --------------+
"""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from fusion_tool.config.loading import ConfigLike, resolve_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.nodes.fan_out import fan_out
from fusion_tool.graph.nodes.ground import ground
from fusion_tool.graph.nodes.judge import judge
from fusion_tool.graph.nodes.panelist import panelist
from fusion_tool.graph.nodes.route import route
from fusion_tool.graph.nodes.synthesize import synthesize
from fusion_tool.graph.runtime import GraphOptions, RunContext
from fusion_tool.graph.state import FusionInput, FusionOutput, FusionState, SeatTask
from fusion_tool.graph.tracing import RedactedGraph
from fusion_tool.routing.classifier.classify import Classifier


def build_graph(
    config: ConfigLike = None,
    *,
    preset: str | None = None,
    panel_tools: Sequence[Any] = (),
    checkpointer: Any = None,
    classifier: Classifier | None = None,
) -> CompiledStateGraph[FusionState, FusionConfig, FusionInput, FusionOutput]:
    """Build the compiled graph; asynchronous only (`ainvoke`, `astream`).

    Args:
        config: What a run without a `FusionConfig` as its context uses: a `FusionConfig`, a preset's name, or the path
            of a TOML file. `None`: the user's own file, else the preset `budget`, as they are when a run begins.
        preset: The preset that a file's settings override.
        panel_tools: LangChain tools, or providers' server tools as dicts, that every seat gets besides its own.
        checkpointer: Any LangGraph checkpointer; as a subgraph the graph uses its parent's.
        classifier: Under `strategy = "auto"` classifies a question, which the router would else do by its words: an
            async function that returns `Signals`, or a dict with at least the `domain`. A private question is not
            shown to it.

    Returns:
        A graph that takes `{"question": ..., "context": ...}` or `{"messages": [...]}` and returns
        `{"result": ...}`, a `FusionResult` as a dict, and the answer as a message where messages came in.
    """
    if config is not None or preset is not None:
        config = resolve_config(config, preset=preset)
    options = GraphOptions(config, tuple(panel_tools), classifier)
    # A class of its own, since Agent Server builds the context of whatever a client sends, be it nothing.
    schema: type[FusionConfig] = RunContext
    graph = StateGraph(FusionState, context_schema=schema, input_schema=FusionInput, output_schema=FusionOutput)

    def bound(node: Callable[..., Coroutine[Any, Any, Any]]) -> Any:
        return partial(node, options=options)

    # Behind `partial` LangGraph does not see the annotations that say where a node goes: hence `destinations`.
    graph.add_node("route", bound(route))
    graph.add_node("fan_out", bound(fan_out), destinations=("panelist",))
    graph.add_node("panelist", bound(panelist), input_schema=SeatTask)
    graph.add_node("judge", bound(judge), destinations=("fan_out", "synthesize"))
    graph.add_node("synthesize", bound(synthesize))
    graph.add_node("ground", bound(ground))
    graph.add_edge(START, "route")
    graph.add_edge("route", "fan_out")
    graph.add_edge("panelist", "judge")
    graph.add_edge("synthesize", "ground")
    graph.add_edge("ground", END)
    return RedactedGraph.of(graph.compile(name="fusion", checkpointer=checkpointer), config)
