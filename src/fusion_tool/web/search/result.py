"""What a search gives back, in one shape for every provider."""

import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fusion_tool.web.exclusion import blocked_by, is_excluded

_LONGEST_TITLE = 300
_LONGEST_SNIPPET = 2000
_LONGEST_URL = 2000


@dataclass(frozen=True)
class SearchResult:
    """One hit. All three fields were written by strangers: data, never instructions."""

    title: str
    url: str
    snippet: str


@dataclass(frozen=True)
class SearchOutcome:
    """The hits of the first provider that had any.

    Args:
        results: At most `limit` hits, best first, each address once.
        provider: Who answered.
        dropped: Hits that the caller's exclusions removed, over all providers asked.
        attempts: One line for each provider that failed before, `"name: reason"`.
    """

    results: list[SearchResult]
    provider: str
    dropped: int = 0
    attempts: list[str] = field(default_factory=list)


class ProviderFailed(Exception):  # noqa: N818 - says what happened, as its public siblings do
    """One provider gave nothing; the message is the reason in one line, and never holds a key.

    Args:
        reason: The message.
        may_be_charged: Whether the provider may have served the request.
    """

    def __init__(self, reason: str, *, may_be_charged: bool = False) -> None:
        super().__init__(reason)
        self.may_be_charged = may_be_charged


def normalised(
    rows: Iterable[Any], *, title: str, url: str, snippet: Callable[[Mapping[str, Any]], Any]
) -> list[SearchResult]:
    """A provider's rows as results: plain bounded text, web addresses only, each address once.

    Args:
        rows: The provider's hits; what is not an object with a web address is left out.
        title: The key of a hit's title.
        url: The key of its address.
        snippet: Takes a hit to its text.
    """
    seen: dict[str, SearchResult] = {}
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        address = str(row.get(url) or "").strip()
        if address.lower().startswith(("http://", "https://")) and len(address) <= _LONGEST_URL:
            heading = _plain(row.get(title), _LONGEST_TITLE)
            hit = SearchResult(heading or address, address, _plain(snippet(row), _LONGEST_SNIPPET))
            seen.setdefault(address, hit)
    return list(seen.values())


def without_excluded(
    results: Sequence[SearchResult], excluded_domains: Sequence[str], fragments: Sequence[str]
) -> list[SearchResult]:
    """`results` less those of excluded domains and those that contain a blocked fragment."""
    return [
        result
        for result in results
        if not is_excluded(result.url, excluded_domains)
        and not blocked_by(f"{result.title} {result.url} {result.snippet}", fragments)
    ]


def _plain(value: Any, longest: int) -> str:
    """`value` as one line of text: entities decoded, white space collapsed, bounded."""
    text = " ".join(html.unescape(str(value or "")[: 4 * longest]).split())
    return text if len(text) <= longest else text[:longest] + "..."
