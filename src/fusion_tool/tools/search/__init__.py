"""Searching the web: one provider a file, asked in order until one answers."""

from fusion_tool.tools.search.search import search_web

__all__ = ["search_web"]
