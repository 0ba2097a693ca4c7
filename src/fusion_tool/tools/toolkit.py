"""What the seats of one run share: the tools, the folder's index, and everything that was already looked up."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from langchain_core.tools import BaseTool

from fusion_tool.budget.ledger import Ledger
from fusion_tool.config.schema import FusionConfig
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.tools.caching import SingleFlight
from fusion_tool.tools.documents.index import DocumentIndex, open_index
from fusion_tool.tools.fetch.page import FetchPolicy
from fusion_tool.tools.search.base import Receipt
from fusion_tool.tools.untrusted import fence


@dataclass(frozen=True, eq=False)
class Toolkit:
    """A run's tools and what they need.

    Args:
        config: The run's configuration.
        nonce: The token of the run's fences.
        tools: What a seat may call: LangChain tools, and providers' own server tools as dicts.
        ledger: The run's limits, as its seats together draw on them.
        single_flight: Does identical searches, fetches and indexing once for all seats.
    """

    config: FusionConfig
    nonce: str
    tools: tuple[BaseTool | dict[str, Any], ...]
    ledger: Ledger
    builtin_count: int = 0
    single_flight: SingleFlight = field(default_factory=SingleFlight)

    @property
    def has_sources(self) -> bool:
        """Whether there are documents or the web to answer from."""
        return has_sources(self.config)

    @property
    def tool_names(self) -> list[str]:
        """What the tools are called."""
        return [tool.name for tool in self.tools if isinstance(tool, BaseTool)]

    def is_custom(self, tool: Any) -> bool:
        """Whether `tool` is the caller's, not the package's."""
        return not any(tool is builtin for builtin in self.tools[: self.builtin_count])

    async def documents(self) -> DocumentIndex:
        """The index of the user's folder.

        Raises:
            ConfigError: The folder cannot be read.
        """
        if self.config.documents is None:
            raise LookupError("no documents folder is configured")
        folder = self.config.documents.path
        return await self.single_flight(("index", folder), lambda: open_index(folder))

    def fetch_policy(self) -> FetchPolicy:
        """What a fetch of this run may reach."""
        return FetchPolicy(
            excluded_domains=self.config.excluded_domains,
            blocked_fragments=self.config.blocked_fragments,
            allowed_private_hosts=self.config.fetch.allowed_private_hosts,
        )

    def render_sources(self, sources: Sequence[RetrievedSource]) -> str:
        """The sources as a model sees them: each with its id, fenced."""
        return "\n\n".join(
            fence(source["text"], label=f"source [{source['id']}] {source['title']} {source['url']}", nonce=self.nonce)
            for source in sources
        )


class ToolLog(Protocol):
    """Where a tool writes down what it brought; the seat's notebook is one."""

    def count_call(self) -> None:
        """Count one tool call, before it is made."""

    def pay_for_search(self, provider: str, results: int) -> AbstractAsyncContextManager[Receipt]:
        """Pay for one search, as `web.Pay`."""

    def record(self, tool: str, query: str, sources: list[RetrievedSource], dropped: int = 0) -> None:
        """Write down one tool call: what it was asked, what it found, how much the exclusions dropped."""


@dataclass(frozen=True)
class SeatContext:
    """What a tool call receives through the runtime: the run's kit, and its seat's log."""

    toolkit: Toolkit
    log: ToolLog


def has_sources(config: FusionConfig) -> bool:
    """Whether a run gives its seats documents or the web to answer from."""
    return config.documents is not None or config.search is not None
