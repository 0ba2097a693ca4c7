"""The panel, for LangGraph Studio and Agent Server.

START -> route -> fan_out -> panelist (one a seat) -> judge -> synthesize -> ground -> END
                     ^                                  |
                     +----------- next wave ------------+

Ask by `question`, or in the chat by `messages`. What the panel is stands in `fusion.toml` in the configuration folder;
where there is none it is the preset `budget`, which needs a provider's key. Clients choose within it.
"""

from fusion_tool import build_graph
from fusion_tool.config.schema import FusionConfig
from fusion_tool.servers.agent_server import AgentGraph, context_schema, graph_factory


def build(config: FusionConfig | None) -> AgentGraph:
    """Build the panel's graph, whose context is a client's wishes."""
    panel = build_graph(config)
    panel.context_schema = context_schema(config)
    return panel


graph = graph_factory(build)
