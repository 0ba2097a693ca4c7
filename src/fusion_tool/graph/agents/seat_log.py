"""`SeatLog`: what a seat records while it works: its bill, its sources, its tool calls, its models' failures."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from langchain_core.tools import BaseTool

from fusion_tool.budget.ledger import OverBudgetError
from fusion_tool.budget.usage import Call
from fusion_tool.errors import ToolReason
from fusion_tool.events import PanelistTool
from fusion_tool.graph.runtime import SeatStage
from fusion_tool.graph.state import Failure, ToolFailureRow
from fusion_tool.grounding.sources import RetrievedSource
from fusion_tool.tools.search.base import Receipt, SearchProviderError
from fusion_tool.tools.search.search import failure_reason, search_fee
from fusion_tool.tools.toolkit import Toolkit


@dataclass(frozen=True)
class SeatAnswer:
    """A seat's usable text, citations by id, and whose it is.

    `truncated` where it was cut off, `unread` where it was written without a look at the sources that there
    were, `spoiled` says what is wrong with what a small model wrote, empty where nothing is.
    """

    text: str
    model: str
    truncated: bool = False
    unread: bool = False
    spoiled: str = ""


# Not frozen, and filled in while the seat works: what it holds must outlive the seat's cancellation by the gate.
@dataclass
class SeatLog:
    """One seat's record of its work, over all the models it tries.

    Args:
        stage: The seat's stage, whose bill it adds to.
        deadline: When the model at work must be done, on `time.monotonic`'s clock.
    """

    stage: SeatStage
    deadline: float
    sources: list[RetrievedSource] = field(default_factory=list)
    tool_calls: int = 0
    dropped: int = 0
    searches: int = 0
    tool_failures: list[ToolFailureRow] = field(default_factory=list)
    is_cut: bool = False
    """Whether sources or tools' results were shortened to fit a model's window."""
    kept_answer: SeatAnswer | None = None
    """The answer that stands where no better one comes."""

    @property
    def failures(self) -> list[Failure]:
        """The failures of the seat's models."""
        return self.stage.failures

    def keep_answer(self, answer: SeatAnswer) -> None:
        """Keep an answer that is paid for; one from sources stands before one that was written without a look."""
        if self.kept_answer is None or (self.kept_answer.unread and not answer.unread):
            self.kept_answer = answer

    @asynccontextmanager
    async def pay_for_search(self, provider: str, results: int) -> AsyncIterator[Receipt]:
        """Pay for one search, which is made inside the context.

        Args:
            provider: The search provider.
            results: Results that it is asked for, on which some providers' fees depend.

        Yields:
            A receipt, for the provider's own word on the cost.

        Raises:
            OverBudgetError: The fee could pass a limit.
        """
        try:
            async with self._paid_search(provider, results) as receipt:
                yield receipt
        # Here and not by the search, whose outcome all seats share: who made the request has its failure.
        except (SearchProviderError, OverBudgetError, TimeoutError) as failure:
            self._note_failure(f"search:{provider}", failure_reason(failure))
            raise

    @asynccontextmanager
    async def _paid_search(self, provider: str, results: int) -> AsyncIterator[Receipt]:
        receipt, fee, rows = Receipt(), search_fee(provider, results), self.stage.calls
        if not fee:
            yield receipt
            return
        row = Call.for_search(provider, self.stage.seat)
        reservation = await self.stage.budget.reserve_fee(fee, row.model)
        # Of unknown cost while it is under way: a seat that is cut off meanwhile may have been charged.
        rows.append(row)
        ended: Call | None = row
        started = time.monotonic()
        try:
            yield receipt
            ended = row.with_cost(receipt.cost_usd, fee)
        except SearchProviderError as failed:
            ended = row if failed.may_be_charged else None
            raise
        finally:
            took = {"seconds": round(time.monotonic() - started, 3)}
            # By its place: rows of calls side by side may have come after it. None is left of a search without charge.
            place = rows.index(row)
            rows[place : place + 1] = [ended.model_copy(update=took)] if ended else []
            self.stage.budget.settle(reservation, ended)

    def count_call(self) -> None:
        """Count a tool call before it is made, so that calls side by side cannot pass the budget."""
        self.tool_calls += 1

    def record(
        self,
        tool: str,
        query: str,
        sources: list[RetrievedSource],
        dropped: int = 0,
        failure: ToolReason | None = None,
    ) -> None:
        """Record what one tool call brought, and emit its event.

        Args:
            tool: The tool's name.
            query: What it was called with.
            sources: The sources that it returned.
            dropped: How many results the exclusions removed.
            failure: Why the tool could not do its work; `None` where it did.
        """
        self.dropped += dropped
        self.searches += tool == "web_search"
        if failure:
            self._note_failure(tool, failure)
        self.sources += sources
        events, seat = self.stage.events, self.stage.seat
        events.emit(
            PanelistTool(
                type="panelist.tool",
                **events.stamp,
                seat=seat,
                tool=tool,
                query=query[:200],
                found=len(sources),
                failure=failure,
            )
        )

    def miss_tools(self, toolkit: Toolkit) -> None:
        """Record that a model is not offered the caller's own tools: nobody uses them in its place, as the search."""
        for tool in toolkit.tools[toolkit.builtin_count :]:
            name = tool.name if isinstance(tool, BaseTool) else str(tool.get("type") or " ".join(tool))
            self._note_failure(name, "unavailable")

    def _note_failure(self, tool: str, reason: ToolReason) -> None:
        self.tool_failures.append(ToolFailureRow(tool=tool, reason=reason))
