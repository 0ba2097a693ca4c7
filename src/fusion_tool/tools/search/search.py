"""Web search: the table of its providers, and a search that tries them in order until one has a result."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

from fusion_tool.budget.ledger import OverBudgetError
from fusion_tool.config.key_names import SEARCH_KEYS
from fusion_tool.errors import ConfigError, ToolReason
from fusion_tool.tools.exclusions import canonical_domains
from fusion_tool.tools.search.base import (
    ChargeSearch,
    SearchError,
    SearchOutcome,
    SearchProviderError,
    SearchResult,
    no_charge,
    without_excluded,
)


@dataclass(frozen=True)
class SearchFee:
    """A provider's public list price, without free credits and volume discounts.

    Args:
        request_usd: US dollars a search, for `included_results`.
        source: The page of the provider that says so.
        date: The day on which it did, ISO 8601.
        included_results: Results that the request's price covers; `None` for any number.
        further_result_usd: US dollars for each result beyond them.
    """

    request_usd: float
    source: str
    date: str
    included_results: int | None = None
    further_result_usd: float = 0.0


@dataclass(frozen=True)
class ProviderSpec:
    """A search provider: a module of this package with a function `search`, and what a run must know of it.

    Each has a module of its own, however short: a provider is added by one file and one row below, and what its API
    wants of a request stands in one place.

    Args:
        name: The provider's name in the configuration, and its module's.
        variable: The environment variable that it needs; `None` where it needs none.
        fee: Its price; `None` where searches are free.
        max_results: The most results that it gives for one request; `None` where it sets no limit.
        options: Parameters of its `search` beyond those that all share: `base_url`, `receipt`.
    """

    name: str
    variable: str | None = None
    fee: SearchFee | None = None
    max_results: int | None = None
    options: tuple[str, ...] = ()


_SPECS = (
    ProviderSpec("duckduckgo"),
    ProviderSpec("searxng", variable="SEARXNG_URL", options=("base_url",)),
    ProviderSpec(
        "tavily",
        variable=SEARCH_KEYS["tavily"],
        # One credit, pay as you go: a search of basic depth.
        fee=SearchFee(0.008, "https://docs.tavily.com/documentation/api-credits", "2026-10-06"),
        max_results=20,
    ),
    ProviderSpec(
        "exa",
        variable=SEARCH_KEYS["exa"],
        fee=SearchFee(
            0.007,
            "https://exa.ai/docs/reference/pricing",
            "2026-11-10",
            included_results=10,
            further_result_usd=0.001,
        ),
        max_results=100,
        options=("receipt",),
    ),
    ProviderSpec(
        "brave",
        variable=SEARCH_KEYS["brave"],
        fee=SearchFee(0.005, "https://api-dashboard.search.brave.com/app/plans", "2026-09-30"),
        max_results=20,
    ),
)
PROVIDERS: Mapping[str, ProviderSpec] = {spec.name: spec for spec in _SPECS}
"""Every search provider by its name, in the order of `config.choices.SearchProvider`."""


def search_fee(provider: str, results: int) -> float:
    """Return what one search costs by the provider's list, in US dollars; 0 where searches are free.

    Args:
        provider: A name out of `PROVIDERS`.
        results: The number of results requested.
    """
    fee = PROVIDERS[provider].fee
    if fee is None:
        return 0.0
    included = results if fee.included_results is None else fee.included_results
    return fee.request_usd + max(0, results - included) * fee.further_result_usd


RESULTS = 6
"""Results that a search asks its provider for; twice as many where some may be excluded."""


async def search_web(  # noqa: PLR0913 - settings, all but two with a default
    query: str,
    *,
    providers: Sequence[str],
    excluded_domains: Sequence[str] = (),
    blocked_fragments: Sequence[str] = (),
    limit: int = RESULTS,
    timeout: float = 15.0,  # noqa: ASYNC109 - a limit for each provider, not one that a caller could set around
    searxng_url: str | None = None,
    pay: ChargeSearch = no_charge,
) -> SearchOutcome:
    """Search the web with the first of `providers` that gives a result.

    Exclusions are passed on to providers that support them and enforced here in any case.

    Args:
        query: What to look for.
        providers: Names out of `PROVIDERS`, the first to try first.
        excluded_domains: Domains whose results are dropped, subdomains included.
        blocked_fragments: A result that contains one of these is dropped.
        limit: The most results.
        timeout: Seconds for each provider.
        searxng_url: The operator's SearXNG, trusted and possibly private; `SEARXNG_URL` where it is `None`.
        pay: Pays for each request to a provider; one that it cannot afford is not made.

    Raises:
        ConfigError: An unknown provider, or none.
        SearchError: No provider gave a result that may be shown; one line with every reason.
    """
    _check(query, providers)
    domains = canonical_domains(tuple(excluded_domains))
    # More are requested to make up for those that the exclusions remove.
    requested = 2 * limit if excluded_domains or blocked_fragments else limit
    attempts: list[str] = []
    reasons: list[ToolReason] = []
    dropped = 0
    for name in providers:
        count = min(requested, PROVIDERS[name].max_results or requested)
        try:
            # The limit of time inside the payment, which must see a search that was cut off: it may be charged.
            async with pay(name, count) as receipt, asyncio.timeout(timeout):
                search = _search_function(name, base_url=searxng_url, receipt=receipt)
                results = await search(query, limit=count, excluded_domains=domains, timeout=timeout)
        except (SearchProviderError, OverBudgetError, TimeoutError) as failure:
            is_late = isinstance(failure, TimeoutError)
            attempts.append(f"{name}: {f'timed out after {timeout:g} s' if is_late else failure}")
            reasons.append(failure_reason(failure))
            continue
        # Here as well as at the provider, which may not know exclusions, or not heed them.
        allowed = without_excluded(results, domains, blocked_fragments)
        dropped += len(results) - len(allowed)
        if allowed:
            return SearchOutcome(allowed[:limit], name, dropped, attempts)
        attempts.append(f"{name}: {f'all {len(results)} results are excluded' if results else 'no results'}")
    raise SearchError(attempts, dropped, reasons[0] if len(reasons) == len(attempts) else None)


def failure_reason(failure: SearchProviderError | OverBudgetError | TimeoutError) -> ToolReason:
    """Return the kind of failure of a provider that was asked, was too slow, or could not be afforded."""
    if isinstance(failure, SearchProviderError):
        return failure.reason
    return "timeout" if isinstance(failure, TimeoutError) else "budget"


def _check(query: str, providers: Sequence[str]) -> None:
    if not query.strip():
        raise SearchError(["the query is empty"])
    if not providers:
        raise ConfigError(f"name at least one of {', '.join(PROVIDERS)}", field="search.providers")
    for name in providers:
        if name not in PROVIDERS:
            raise ConfigError(f"{name!r} is not one of {', '.join(PROVIDERS)}", field="search.providers")


def _search_function(name: str, **options: Any) -> Callable[..., Awaitable[list[SearchResult]]]:
    """Load the provider's module, and return its `search` with those of `options` that it takes."""
    search = import_module(f"fusion_tool.tools.search.{name}").search
    return partial(search, **{option: options[option] for option in PROVIDERS[name].options})
