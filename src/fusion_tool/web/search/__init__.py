"""Searching the web: one provider a file, asked in order until one answers."""

from fusion_tool.web.search.result import SearchOutcome, SearchResult
from fusion_tool.web.search.web_search import PROVIDERS, Provider, web_search

__all__ = ["PROVIDERS", "Provider", "SearchOutcome", "SearchResult", "web_search"]
