"""Web search: one provider a module, tried in order until one has a result."""

from fusion_tool.tools.search.search import search_web

__all__ = ["search_web"]
