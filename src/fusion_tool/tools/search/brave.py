"""Brave Search, by key: https://api-dashboard.search.brave.com/api-reference/web/search/get."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_tool.tools.search.base import SearchResult, api_key, list_at, normalize_rows, request_json

_URL = "https://api.search.brave.com/res/v1"
# Limits of the API's parameter `q`; a longer query is refused.
_MAX_QUERY = 400
_MAX_WORDS = 50


async def search(
    query: str,
    *,
    limit: int,
    excluded_domains: Sequence[str] = (),
    timeout: float = 15.0,  # noqa: ASYNC109 - passed on to httpx
    base_url: str | None = None,
) -> list[SearchResult]:
    """Search with Brave; a query past its limits (400 characters, 50 words) is cut at a word.

    Raises:
        SearchProviderError: No key in `BRAVE_API_KEY`, or no usable answer.
    """
    answer = await request_json(
        "GET",
        f"{base_url or _URL}/web/search",
        timeout=timeout,
        headers={"X-Subscription-Token": api_key("BRAVE_API_KEY")},
        params={
            "q": _cut(query),
            "count": limit,
            "text_decorations": "false",  # else the hits' words stand in <strong>
            **({"goggles": _goggle(excluded_domains)} if excluded_domains else {}),
        },
        refused="the key in BRAVE_API_KEY was refused",
    )
    return normalize_rows(list_at(answer, "web", "results"), snippet=_snippet)


def _goggle(excluded_domains: Sequence[str]) -> str:
    """Return an inline goggle that discards `excluded_domains`: https://search.brave.com/help/goggles."""
    return "\n".join(f"$discard,site={domain}" for domain in excluded_domains)


def _cut(query: str) -> str:
    words = " ".join(query.split()[:_MAX_WORDS])
    return words if len(words) <= _MAX_QUERY else words[: _MAX_QUERY + 1].rpartition(" ")[0]


def _snippet(row: Mapping[str, Any]) -> str:
    extra = row.get("extra_snippets")
    parts = [row.get("description"), *(extra if isinstance(extra, list) else [])]
    return " ... ".join(str(part) for part in parts if part)
