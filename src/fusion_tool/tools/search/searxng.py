"""SearXNG, the operator's own: https://docs.searxng.org/dev/search_api.html."""

from collections.abc import Sequence
from typing import Any

from fusion_tool.config.network import read_address
from fusion_tool.errors import ConfigError
from fusion_tool.tools.search.base import SearchProviderError, SearchResult, list_at, normalize_rows, request_json


async def search(
    query: str,
    *,
    limit: int,
    excluded_domains: Sequence[str] = (),  # noqa: ARG001 - its API has no such parameter
    timeout: float = 15.0,  # noqa: ASYNC109 - passed on to httpx
    base_url: str | None = None,
) -> list[SearchResult]:
    """Search with the SearXNG at `base_url`, else at `SEARXNG_URL`; its JSON format must be enabled.

    Raises:
        SearchProviderError: No address, or no usable answer; names the engines that did not respond.
    """
    try:
        url = (base_url or "").rstrip("/") or read_address("SEARXNG_URL")
    except ConfigError as error:
        raise SearchProviderError(str(error), "unavailable") from None
    if not url:
        raise SearchProviderError("no address: set SEARXNG_URL", "unavailable")
    answer = await request_json(
        "GET",
        f"{url}/search",
        timeout=timeout,
        params={"q": query, "format": "json"},
        refused="JSON is refused: enable it under search.formats in its settings.yml",
    )
    hits = normalize_rows(list_at(answer, "results"), snippet=lambda row: row.get("content"))
    if not hits and (silent := _silent_engines(list_at(answer, "unresponsive_engines"))):
        raise SearchProviderError(f"no results; engines that did not respond: {silent}", "no_results")
    return hits[:limit]  # the API gives a page of hits, and takes no number of them


def _silent_engines(engines: list[Any]) -> str:
    """Return `engine (reason)` for each engine that gave nothing.

    Args:
        engines: `[[engine, reason], ...]` or `[engine, ...]`; instances differ in this.
    """
    pairs = [engine if isinstance(engine, list) else [engine] for engine in engines]
    return ", ".join(f"{pair[0]} ({pair[1]})" if len(pair) > 1 else str(pair[0]) for pair in pairs if pair)
