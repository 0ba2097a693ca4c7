"""Searching the web: one provider a file, asked in order until one answers."""

from fusion_tool.tools.search.search import web_search

__all__ = ["web_search"]
