"""Runs whose tracers see what ran, how long it took and what it cost, but nothing that was said."""

from fusion_tool.tracing.graph import DiscreetGraph
from fusion_tool.tracing.handlers import content_free

__all__ = ["DiscreetGraph", "content_free"]
