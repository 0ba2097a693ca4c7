"""The panel, for LangGraph Studio and Agent Server.

START -> route -> fan_out -> panelist (one a seat) -> judge -> synthesize -> ground -> END
                     ^                                  |
                     +----------- next wave ------------+

Ask by `question`, or in the chat by `messages`. What the panel is stands in `fusion.toml` beside `langgraph.json`;
where there is none it is the preset `budget`, which needs `OPENROUTER_API_KEY`. Clients choose within it.
"""

from pathlib import Path

from fusion_tool import build_graph
from fusion_tool.servers.agent_server import context_schema, load_operator_config

config = load_operator_config(Path(__file__).parents[1] / "fusion.toml")
graph = build_graph(config)
graph.context_schema = context_schema(config)
