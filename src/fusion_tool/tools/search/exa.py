"""Exa, by key: https://docs.exa.ai/reference/search."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_tool.budget.usage import believe_usd
from fusion_tool.tools.search.base import Receipt, SearchResult, api_key, list_at, normalize_rows, request_json

_URL = "https://api.exa.ai"


async def search(  # noqa: PLR0913 - as every provider's, and the receipt
    query: str,
    *,
    limit: int,
    excluded_domains: Sequence[str] = (),
    timeout: float = 15.0,  # noqa: ASYNC109 - passed on to httpx
    base_url: str | None = None,
    receipt: Receipt | None = None,
) -> list[SearchResult]:
    """Search with Exa, taking its highlights as snippets; the receipt gets the cost that its answer states.

    Raises:
        SearchProviderError: No key in `EXA_API_KEY`, or no usable answer.
    """
    answer = await request_json(
        "POST",
        f"{base_url or _URL}/search",
        timeout=timeout,
        headers={"x-api-key": api_key("EXA_API_KEY")},
        body={
            "query": query,
            "numResults": limit,
            "type": "auto",
            "contents": {"highlights": True},
            **({"excludeDomains": list(excluded_domains)} if excluded_domains else {}),
        },
        refused="the key in EXA_API_KEY was refused",
    )
    # Before the rows are read: the request is charged, whether or not its answer can be used.
    if receipt is not None:
        receipt.cost_usd = _cost(answer.get("costDollars"))
    return normalize_rows(list_at(answer, "results"), snippet=_snippet)


def _cost(cost: Any) -> float | None:
    return believe_usd(cost.get("total")) if isinstance(cost, Mapping) else None


def _snippet(row: Mapping[str, Any]) -> str:
    """Return the highlights, else the text, of a hit."""
    highlights = row.get("highlights")
    return " ... ".join(map(str, highlights)) if isinstance(highlights, list) else str(row.get("text") or "")
