"""Tavily, by key: https://docs.tavily.com/documentation/api-reference/endpoint/search."""

from collections.abc import Sequence

from fusion_tool.tools.search.base import SearchResult, api_key, list_at, normalize_rows, request_json

_URL = "https://api.tavily.com"


async def search(
    query: str,
    *,
    limit: int,
    excluded_domains: Sequence[str] = (),
    timeout: float = 15.0,  # noqa: ASYNC109 - passed on to httpx
    base_url: str | None = None,
) -> list[SearchResult]:
    """Search with Tavily's basic depth, which costs one credit.

    Raises:
        SearchProviderError: No key in `TAVILY_API_KEY`, or no usable answer.
    """
    answer = await request_json(
        "POST",
        f"{base_url or _URL}/search",
        timeout=timeout,
        headers={"Authorization": f"Bearer {api_key('TAVILY_API_KEY')}"},
        # Basic is the default depth, but stated: the fee in `search.py` is its price, and an advanced search costs
        # two credits.
        body={
            "query": query,
            "max_results": limit,
            "search_depth": "basic",
            "exclude_domains": list(excluded_domains),
        },
        refused="the key in TAVILY_API_KEY was refused",
    )
    return normalize_rows(list_at(answer, "results"), snippet=lambda row: row.get("content"))
