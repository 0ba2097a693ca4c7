"""Asking the providers in order, so that one limited engine does not stop a run; what each needs and costs.

Fees are list prices, from `search_fees.toml`.
"""

import asyncio
import tomllib
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from importlib import import_module
from importlib.resources import files
from typing import Any, Literal, TypeAlias, get_args

from fusion_tool.budget.ledger import OverBudgetError
from fusion_tool.errors import ConfigError
from fusion_tool.tools.exclusions import canonical_domains
from fusion_tool.tools.search.base import (
    ChargeSearch,
    Receipt,
    SearchError,
    SearchOutcome,
    SearchProviderError,
    SearchResult,
    no_charge,
    without_excluded,
)

NEEDS = {
    "searxng": "SEARXNG_URL",
    "tavily": "TAVILY_API_KEY",
    "exa": "EXA_API_KEY",
    "brave": "BRAVE_API_KEY",
}
"""The variable that each search provider needs; duckduckgo needs none."""


def search_fee(provider: str, results: int) -> float:
    """What one search costs by the provider's list, in US dollars; 0 for DuckDuckGo and a SearXNG of one's own.

    Args:
        provider: A search provider's name.
        results: How many results it is asked for.
    """
    fees = _search_fees().get(provider)
    if fees is None:
        return 0.0
    further = max(0, results - fees["results"]) * fees["further"] if "further" in fees else 0.0
    return float(fees["request"] + further)


@lru_cache(maxsize=1)
def _search_fees() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("search_fees.toml").read_text("utf-8"))


Provider: TypeAlias = Literal["duckduckgo", "searxng", "tavily", "exa", "brave"]
"""Where a search can go: a closed set, one module each beside this one."""

PROVIDERS: tuple[Provider, ...] = get_args(Provider)

_Search: TypeAlias = Callable[..., Awaitable[list[SearchResult]]]


async def search_web(  # noqa: PLR0913 - settings, all but two with a default
    query: str,
    *,
    providers: Sequence[str],
    excluded_domains: Sequence[str] = (),
    blocked_fragments: Sequence[str] = (),
    limit: int = 6,
    timeout: float = 15.0,  # noqa: ASYNC109 - a limit for each provider, not one that a caller could set around
    searxng_url: str | None = None,
    pay: ChargeSearch = no_charge,
) -> SearchOutcome:
    """Search the web with the first of `providers` that gives a result.

    Exclusions are passed on to providers that support them and enforced here in any case.

    Args:
        query: What to look for.
        providers: Names out of `PROVIDERS`, asked in order.
        excluded_domains: Domains whose results are dropped, subdomains included.
        blocked_fragments: A result that contains one of these is dropped.
        limit: Most results.
        timeout: Seconds for each provider.
        searxng_url: The operator's SearXNG, trusted and possibly private; `SEARXNG_URL` where it is `None`.
        pay: Told of each request to a provider; one that it cannot afford is not made.

    Raises:
        ConfigError: An unknown provider, or none.
        SearchError: No provider gave a result that may be shown; one line with every reason.
    """
    _check(query, providers)
    domains = canonical_domains(tuple(excluded_domains))
    # What exclusions remove is made up for by asking for more.
    asked = 2 * limit if excluded_domains or blocked_fragments else limit
    attempts, dropped = [], 0
    for name in providers:
        try:
            async with pay(name, asked) as receipt, asyncio.timeout(timeout):
                search = _provider(name, searxng_url, receipt)
                found = await search(query, limit=asked, excluded_domains=domains, timeout=timeout)
        except TimeoutError:
            attempts.append(f"{name}: timed out after {timeout:g} s")
            continue
        except (SearchProviderError, OverBudgetError) as failure:
            attempts.append(f"{name}: {failure}")
            continue
        kept = without_excluded(found, domains, blocked_fragments)
        dropped += len(found) - len(kept)
        if kept:
            return SearchOutcome(kept[:limit], name, dropped, attempts)
        attempts.append(f"{name}: {f'all {len(found)} results are excluded' if found else 'no results'}")
    raise SearchError(attempts, dropped)


def _check(query: str, providers: Sequence[str]) -> None:
    if not query.strip():
        raise SearchError(["the query is empty"])
    if not providers:
        raise ConfigError(f"name at least one of {', '.join(PROVIDERS)}", field="search.providers")
    for name in providers:
        if name not in PROVIDERS:
            raise ConfigError(f"{name!r} is not one of {', '.join(PROVIDERS)}", field="search.providers")


def _provider(name: str, searxng_url: str | None, receipt: Receipt) -> _Search:
    """The provider's own search function; its module is loaded only when it is asked."""
    search: _Search = import_module(f"fusion_tool.tools.search.{name}").search
    match name:
        case "searxng":
            return partial(search, base_url=searxng_url)
        case "exa":
            return partial(search, receipt=receipt)
        case _:
            return search
