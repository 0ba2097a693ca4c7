"""The panel's tools, one a file, and the kit that a run's seats share."""

from fusion_tool.panel_tools.check import check_tools
from fusion_tool.panel_tools.evidence import gather
from fusion_tool.panel_tools.kit import Kit, SeatContext, has_sources, open_kit
from fusion_tool.panel_tools.own_tools import screened, with_exclusions

__all__ = ["Kit", "SeatContext", "check_tools", "gather", "has_sources", "open_kit", "screened", "with_exclusions"]
