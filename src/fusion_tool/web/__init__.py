"""The web, as the panel sees it: searching, and reading pages behind an address guard.

Importing this package is cheap: httpx, ddgs and the guard are loaded by the first call that needs them.
"""

from fusion_tool.web.errors import ExcludedDomain, FetchFailed, PageWithheld, SearchFailed
from fusion_tool.web.exclusion import blocked_by, is_excluded
from fusion_tool.web.fetch import fetch_page, fetch_text
from fusion_tool.web.page import Page, PageText
from fusion_tool.web.policy import FetchPolicy
from fusion_tool.web.search import PROVIDERS, Pay, Provider, Receipt, SearchOutcome, SearchResult, unpaid, web_search

__all__ = [
    "PROVIDERS",
    "ExcludedDomain",
    "FetchFailed",
    "FetchPolicy",
    "Page",
    "PageText",
    "PageWithheld",
    "Pay",
    "Provider",
    "Receipt",
    "SearchFailed",
    "SearchOutcome",
    "SearchResult",
    "blocked_by",
    "fetch_page",
    "fetch_text",
    "is_excluded",
    "unpaid",
    "web_search",
]
