"""The panel, for LangGraph Studio and Agent Server.

START -> route -> fan_out -> panelist (one a seat) -> judge -> synthesize -> ground -> END

Ask by `question`, or in the chat by `messages`. The assistant's context is a `FusionConfig`: a panel, a judge,
limits, tools. Without one a run takes the preset `budget`, which needs `OPENROUTER_API_KEY`.
"""

from fusion_tool import build_graph

graph = build_graph()
