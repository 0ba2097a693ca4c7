"""DuckDuckGo, without a key, through ddgs (the package once named duckduckgo-search)."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import ceil
from typing import Any, TypeVar

from fusion_tool.errors import ConfigError
from fusion_tool.tools.search.base import SearchProviderError, SearchResult, normalize_rows

_T = TypeVar("_T")
_MAX_QUERY = 400
"""Characters of a query up to which exclusions are added to it; they are enforced on the results in any case."""


async def search(
    query: str,
    *,
    limit: int,
    excluded_domains: Sequence[str] = (),
    timeout: float = 15.0,  # noqa: ASYNC109 - ddgs blocks, so the limit is set here
    backends: Sequence[str] = ("duckduckgo",),
) -> list[SearchResult]:
    """Search with ddgs in a thread that is left behind when `timeout` passes.

    Args:
        query: What to look for.
        limit: The most results.
        excluded_domains: Passed on as `-site:` operators while the query stays short.
        timeout: Seconds for the whole search.
        backends: Engines of ddgs, by its names.

    Raises:
        ConfigError: An engine that ddgs does not have; ddgs itself would silently ask all of them.
        SearchProviderError: No results: ddgs does not distinguish a rate limit from an empty answer.
    """
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

    _check_backends(backends)
    full_query = _with_exclusions(query, excluded_domains)

    def call() -> list[dict[str, Any]]:
        engine = DDGS(timeout=ceil(timeout))
        return engine.text(full_query, max_results=limit, backend=",".join(backends))

    try:
        async with asyncio.timeout(timeout):
            hits = await _in_daemon_thread(call)
    except (TimeoutError, TimeoutException) as error:
        raise SearchProviderError(f"timed out after {timeout:g} s", "timeout") from error
    except RatelimitException as error:
        raise SearchProviderError("rate limited", "rate_limited") from error
    except DDGSException as error:
        # ddgs has no exception of its own for this case; both texts name the rate limit, which it cannot tell apart.
        if "No results" in str(error):
            raise SearchProviderError("no results (maybe rate limited)", "no_results") from error
        raise SearchProviderError("the engine cannot be reached (maybe rate limited)", "unreachable") from error
    except Exception as error:
        # ddgs takes foreign HTML apart, and a changed page can break it in any way.
        raise SearchProviderError(f"ddgs failed ({type(error).__name__})") from error
    results = normalize_rows(hits, snippet=lambda row: row.get("body"), url="href")
    if not results:
        raise SearchProviderError("no results (maybe rate limited)", "no_results")
    return results


def _check_backends(backends: Sequence[str]) -> None:
    from ddgs.engines import ENGINES

    engines = sorted(ENGINES["text"])
    for name in backends:
        if name not in engines:
            raise ConfigError(f"{name!r} is not one of {', '.join(engines)}", field="search.backends")
    if not backends:
        raise ConfigError(f"name at least one of {', '.join(engines)}", field="search.backends")


def _with_exclusions(query: str, excluded_domains: Sequence[str]) -> str:
    for domain in excluded_domains:
        extension = f" -site:{domain}"
        if len(query) + len(extension) > _MAX_QUERY:
            break
        query += extension
    return query


async def _in_daemon_thread(call: Callable[[], _T]) -> _T:
    """Await a blocking `call` in a thread of its own.

    Not the loop's executor: `asyncio.run` joins that at its end, and a stuck search would hold the process.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: Exception | None) -> None:
        if future.cancelled():  # the caller has stopped waiting; the thread ends by itself
            return
        if error is None:
            future.set_result(result)  # type: ignore[arg-type] # no error means that there is a result
        else:
            future.set_exception(error)

    def work() -> None:
        result, failure = None, None
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - carried over to the awaiting task as it is
            failure = error
        with suppress(RuntimeError):  # the loop closed while the search was running
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, name="ddgs", daemon=True).start()
    return await future
