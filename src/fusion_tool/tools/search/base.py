"""The common part of all search providers: results, the receipt of a paid request, errors, one safe JSON request.

A provider's endpoint is the operator's choice and may be private, so there is no address guard. Redirects are not
followed: httpx would send a header with the key to wherever they lead. No message quotes the request or an exception,
because httpx quotes the value of a malformed header, which may be a key.
"""

import html
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeAlias

from fusion_tool.config.keys import missing_key, read_key
from fusion_tool.config.network import tls_context
from fusion_tool.errors import FusionError, ToolReason
from fusion_tool.events import plain_line
from fusion_tool.tools.exclusions import blocked_by, is_excluded
from fusion_tool.tools.fetch.body import ACCEPT_ENCODING, FetchError, read_body, status_reason


class SearchError(FusionError):
    """No provider gave a result that may be shown.

    Args:
        attempts: One line for each provider, `"name: reason"`.
        dropped: The number of results that the caller's exclusions removed.
        reason: Why nobody could search, by the first provider; `None` where one did, and had nothing to show.
    """

    def __init__(self, attempts: Sequence[str], dropped: int = 0, reason: ToolReason | None = None) -> None:
        super().__init__("search failed: " + "; ".join(attempts))
        self.attempts = list(attempts)
        self.dropped = dropped
        self.reason = reason


_MAX_TITLE = 300
_MAX_SNIPPET = 2000
_MAX_URL = 2000


@dataclass(frozen=True)
class SearchResult:
    """A hit. All three fields were written by strangers: data, never instructions."""

    title: str
    url: str
    snippet: str


@dataclass(frozen=True)
class SearchOutcome:
    """The hits of the first provider that had any.

    Args:
        results: At most `limit` hits, best first, each address once.
        provider: The name of the provider that answered.
        dropped: The number of hits that the caller's exclusions removed, over all providers that were tried.
        attempts: One line for each provider that failed before, `"name: reason"`.
    """

    results: list[SearchResult]
    provider: str
    dropped: int = 0
    attempts: list[str] = field(default_factory=list)


class SearchProviderError(Exception):
    """A provider gave nothing.

    Args:
        message: Why, in one line that never holds a key.
        reason: The kind of failure.
        may_be_charged: Whether the provider may have served the request.
    """

    def __init__(self, message: str, reason: ToolReason = "unreadable", *, may_be_charged: bool = False) -> None:
        super().__init__(plain_line(message))
        self.reason = reason
        self.may_be_charged = may_be_charged


def normalize_rows(
    rows: Iterable[Any], *, snippet: Callable[[Mapping[str, Any]], Any], url: str = "url"
) -> list[SearchResult]:
    """Convert a provider's rows to results: plain bounded text, web addresses only, each address once.

    Args:
        rows: The provider's hits, with a `title`; what is not an object with a web address is left out.
        snippet: Returns the text of a hit.
        url: The key of a hit's address.
    """
    by_address: dict[str, SearchResult] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        address = str(row.get(url) or "").strip()
        if address.lower().startswith(("http://", "https://")) and len(address) <= _MAX_URL:
            title = _plain(row.get("title"), _MAX_TITLE)
            hit = SearchResult(title or address, address, _plain(snippet(row), _MAX_SNIPPET))
            by_address.setdefault(address, hit)
    return list(by_address.values())


def without_excluded(
    results: Sequence[SearchResult], excluded_domains: Sequence[str], fragments: Sequence[str]
) -> list[SearchResult]:
    """Return `results` without those of excluded domains and those that contain a blocked fragment."""
    return [
        result
        for result in results
        if not is_excluded(result.url, excluded_domains)
        and not blocked_by(f"{result.title} {result.url} {result.snippet}", fragments)
    ]


def _plain(value: Any, max_chars: int) -> str:
    """Return `value` as one line of text: entities decoded, white space collapsed, bounded."""
    # Cut twice: before the work, with room for entities that become one character, and to the exact length after it.
    text = " ".join(html.unescape(str(value or "")[: 4 * max_chars]).split())
    return text if len(text) <= max_chars else text[:max_chars] + "..."


@dataclass
class Receipt:
    """The receipt of a request: the cost in US dollars that the provider states; `None` where it states none."""

    cost_usd: float | None = None


ChargeSearch: TypeAlias = Callable[[str, int], AbstractAsyncContextManager[Receipt]]
"""Takes a provider's name and the number of results requested; the request is made inside.

It raises `OverBudgetError` for a request that cannot be afforded. A `SearchProviderError` from inside says whether the
provider may charge for the request; any other exception leaves that open.
"""


@asynccontextmanager
async def no_charge(provider: str, results: int) -> AsyncIterator[Receipt]:
    """Charge nobody, for callers that keep no bill."""
    del provider, results
    yield Receipt()


_MAX_BYTES = 2_000_000
# 432 and 433 are Tavily's own, for a plan's and a pay-as-you-go limit.
_EXHAUSTED = {402, 432, 433}


def api_key(variable: str) -> str:
    """Return the key in the environment variable `variable`.

    Raises:
        SearchProviderError: It is not set, or cannot stand in a header.
    """
    if missing := missing_key(variable):
        raise SearchProviderError(f"no key: {missing}", "unavailable")
    return read_key(variable)


async def request_json(  # noqa: PLR0913 - one argument for each part of a request
    method: str,
    url: str,
    *,
    timeout: float,  # noqa: ASYNC109 - passed on to httpx
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str | int] | None = None,
    body: Mapping[str, Any] | None = None,
    refused: str = "access refused",
) -> dict[str, Any]:
    """Send a request and return the JSON object of its answer.

    Args:
        method: `"GET"` or `"POST"`.
        url: The provider's endpoint.
        timeout: Seconds for each step of the request.
        headers: Further headers, a key among them; `None` for none.
        params: The query string; `None` for none.
        body: The JSON body; `None` for none.
        refused: The message on 401 and 403.

    Raises:
        SearchProviderError: No connection, another status than 2xx, or no JSON object.
    """
    import httpx

    all_headers = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING, **(headers or {})}
    # httpx follows no redirect unless it is told to; `_check_status` reports one.
    try:
        async with (
            httpx.AsyncClient(timeout=timeout, headers=all_headers, verify=tls_context()) as client,
            client.stream(method, url, params=params, json=body) as response,
        ):
            _check_status(response.status_code, refused)
            return _object(await read_body(response, _MAX_BYTES))
    # Only a failed connection surely never reached the provider; any later fault may come after it has served the
    # request, and charged for it.
    except httpx.TimeoutException as error:
        raise SearchProviderError(f"timed out after {timeout:g} s", "timeout", may_be_charged=True) from error
    except httpx.ConnectError as error:
        raise SearchProviderError("cannot connect", "unreachable") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise SearchProviderError(
            f"the request failed ({type(error).__name__})", "unreachable", may_be_charged=True
        ) from error
    except FetchError as error:
        raise SearchProviderError(str(error), may_be_charged=True) from error


def list_at(answer: Mapping[str, Any], *path: str) -> list[Any]:
    """Return the list at `path` inside `answer`; empty where a step is missing.

    Raises:
        SearchProviderError: The value at `path` is no list.
    """
    value: Any = answer
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else value
    if value is None:
        return []
    if not isinstance(value, list):
        raise SearchProviderError(f"unexpected JSON: {'.'.join(path)} is not a list", may_be_charged=True)
    return value


def _check_status(code: int, refused: str) -> None:
    if HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return
    # A request that is refused is taken to cost nothing: `may_be_charged` stays false for all of these.
    if code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        raise SearchProviderError(f"{refused} ({code})", "refused")
    if code == HTTPStatus.TOO_MANY_REQUESTS:
        raise SearchProviderError("rate limited (429)", "rate_limited")
    if code in _EXHAUSTED:
        raise SearchProviderError(f"the plan's limit is used up ({code})", "rate_limited")
    if HTTPStatus.MULTIPLE_CHOICES <= code < HTTPStatus.BAD_REQUEST:
        raise SearchProviderError(f"answered with a redirect ({code}): configure the final address", "refused")
    phrase = HTTPStatus(code).phrase if code in set(HTTPStatus) else "unknown status"
    raise SearchProviderError(f"{code} {phrase}", status_reason(code))


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError) as error:
        kind = "HTML instead of JSON" if data.lstrip()[:1] == b"<" else "no valid JSON"
        raise SearchProviderError(f"answered {kind}", may_be_charged=True) from error
    if not isinstance(answer, dict):
        raise SearchProviderError("unexpected JSON: not an object", may_be_charged=True)
    return answer
