"""Searching the web: one provider a file, asked in order until one answers."""

from fusion_tool.web.search.paying import Pay, Receipt, unpaid
from fusion_tool.web.search.result import SearchOutcome, SearchResult
from fusion_tool.web.search.web_search import PROVIDERS, Provider, web_search

__all__ = ["PROVIDERS", "Pay", "Provider", "Receipt", "SearchOutcome", "SearchResult", "unpaid", "web_search"]
