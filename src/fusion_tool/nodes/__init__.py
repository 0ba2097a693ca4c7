"""The graph's nodes, one a file; none knows another."""

from fusion_tool.nodes.fan_out import fan_out
from fusion_tool.nodes.ground import ground
from fusion_tool.nodes.judge import judge
from fusion_tool.nodes.panelist import panelist
from fusion_tool.nodes.route import route
from fusion_tool.nodes.synthesize import synthesize

__all__ = ["fan_out", "ground", "judge", "panelist", "route", "synthesize"]
