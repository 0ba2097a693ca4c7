"""`Toolkit`, the tools of a wave with what they share, and `SeatContext`, which a tool call receives.

The seats share one `SingleFlight`: the first who looks something up does the work, the others wait for its outcome.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from langchain_core.tools import BaseTool

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ToolReason
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.tools.documents.index import DocumentIndex, open_index
from fusion_tool.tools.fetch.page import FetchPolicy
from fusion_tool.tools.search.base import Receipt
from fusion_tool.tools.untrusted import fence

T = TypeVar("T")


class SingleFlight:
    """A register of keyed jobs: each runs once and its outcome is remembered; a failed job may be tried again."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def __call__(self, key: Hashable, job: Callable[[], Awaitable[T]]) -> T:
        """Return what `job()` returned, now or for the first caller with `key`.

        Raises:
            Exception: The job's own. The job is cancelled when the last of its waiters is.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(_run(job))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            # A seat that is cancelled must not take the look-up from the others that wait for it.
            return await asyncio.shield(flight)
        finally:
            self._waiting[key] -= 1
            # An unfinished look-up ends with its last waiter; a failed one is forgotten, so that it can be repeated.
            if not self._waiting[key] and not _has_succeeded(flight):
                flight.cancel()
                self._flights.pop(key, None)


def _has_succeeded(flight: asyncio.Task[Any]) -> bool:
    return flight.done() and not flight.cancelled() and flight.exception() is None


async def _run(job: Callable[[], Awaitable[T]]) -> T:
    return await job()


# Compared by identity: two toolkits with the same settings differ in what their seats have looked up.
@dataclass(frozen=True, eq=False)
class Toolkit:
    """The tools that the seats of a wave share, and what those tools need.

    Args:
        config: The run's configuration.
        nonce: The token of the run's fences.
        tools: The tools that a seat may call: LangChain tools, and providers' own server tools as dicts.
        builtin_count: The number of `tools`, from the first on, that are the package's own.
        single_flight: Runs identical searches, fetches and indexing once for all seats.
    """

    config: FusionConfig
    nonce: str
    tools: tuple[BaseTool | dict[str, Any], ...]
    builtin_count: int = 0
    single_flight: SingleFlight = field(default_factory=SingleFlight)

    @property
    def has_sources(self) -> bool:
        """Whether there are documents or the web to answer from."""
        return self.config.has_sources

    def is_custom(self, tool: Any) -> bool:
        """Return whether `tool` is the caller's, not the package's."""
        # By identity: a caller's tool may have the name of one of ours, and must not pass for it unscreened.
        return not any(tool is builtin for builtin in self.tools[: self.builtin_count])

    async def documents(self) -> DocumentIndex:
        """Open the index of the user's documents, once for all seats.

        Raises:
            LookupError: No documents are configured.
            ConfigError: They cannot be read.
        """
        if self.config.documents is None:
            raise LookupError("no documents are configured")
        paths = self.config.documents.paths
        return await self.single_flight(("index", paths), lambda: open_index(paths))

    def fetch_policy(self) -> FetchPolicy:
        """Return the policy of this run's fetches."""
        return FetchPolicy(
            excluded_domains=self.config.excluded_domains,
            blocked_fragments=self.config.blocked_fragments,
            allowed_private_hosts=self.config.fetch.allowed_private_hosts,
            max_bytes=self.config.fetch.max_mb * 1_000_000,
        )

    def render_sources(self, sources: Sequence[RetrievedSource]) -> str:
        """Return the sources as a model sees them: each with its id, fenced."""
        return "\n\n".join(
            fence(source["text"], label=f"source [{source['id']}] {source['title']} {source['url']}", nonce=self.nonce)
            for source in sources
        )


class ToolLog(Protocol):
    """The record of a seat's tool calls."""

    def count_call(self) -> None:
        """Count one tool call, before it is made."""

    def pay_for_search(self, provider: str, results: int) -> AbstractAsyncContextManager[Receipt]:
        """Pay for one search; a `ChargeSearch`."""

    def record(
        self,
        tool: str,
        query: str,
        sources: list[RetrievedSource],
        dropped: int = 0,
        failure: ToolReason | None = None,
    ) -> None:
        """Record one finished tool call.

        Args:
            tool: The tool's name.
            query: The query, address or command of the call.
            sources: The sources that it returned.
            dropped: The number of results that the exclusions removed.
            failure: Why the tool could not do its work; `None` where it did, were it with an empty outcome.
        """


@dataclass(frozen=True)
class SeatContext:
    """The context that a tool call receives through the runtime: the toolkit, and its seat's log."""

    toolkit: Toolkit
    log: ToolLog
