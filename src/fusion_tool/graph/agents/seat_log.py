"""What a seat keeps while it works: its bill, what it found, how many tools it used."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fusion_tool.budget.ledger import Tab
from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.graph.runtime import Progress
from fusion_tool.grounding.sources import Found
from fusion_tool.models.call import Account
from fusion_tool.tools.search.base import ProviderFailed, Receipt
from fusion_tool.tools.search.search import search_fee


@dataclass(frozen=True)
class Answer:
    """A seat's usable text, citations by id, and whose it is.

    `truncated` where it was cut off at its token limit, `unread` where it was written without a look at the sources
    that there were.
    """

    text: str
    model: str
    truncated: bool = False
    unread: bool = False


@dataclass
class Notebook:
    """One seat's notes, over all the models it tries; they outlive its cancellation.

    Args:
        seat: The seat's label.
        deadline: When the seat must be done, on `time.monotonic`'s clock.
        progress: Where its events go.
        tab: What the run's limits leave for it.
    """

    seat: str
    deadline: float
    progress: Progress
    tab: Tab
    rows: list[Call] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    tool_calls: int = 0
    dropped: int = 0
    kept: Answer | None = None
    """The answer that stands where no better one comes."""

    def keep(self, answer: Answer) -> None:
        """Keep an answer that is paid for; one from sources stands before one that was written without a look."""
        if self.kept is None or (self.kept.unread and not answer.unread):
            self.kept = answer

    def account(self, panelist: Panelist) -> Account:
        """The account of this seat's calls of one model."""
        return Account("panelist", panelist, self.tab, self.rows, self.seat)

    @asynccontextmanager
    async def pay(self, provider: str, results: int) -> AsyncIterator[Receipt]:
        """Pay for one search: its row stands as unknown while it is under way, as other seats may wait for it too.

        Raises:
            OverBudget: The fee could pass a limit.
        """
        receipt, fee = Receipt(), search_fee(provider, results)
        if not fee:
            yield receipt
            return
        held, row = await self.tab.reserve_fee(fee), Call.of_search(provider, self.seat)
        self.rows.append(row)
        ended: Call | None = row
        started = time.monotonic()
        try:
            yield receipt
            ended = row.priced(receipt.cost_usd, fee)
        except ProviderFailed as failed:
            ended = row if failed.may_be_charged else None
            raise
        finally:
            took = {"seconds": round(time.monotonic() - started, 3)}
            place = self.rows.index(row)
            self.rows[place : place + 1] = [ended.model_copy(update=took)] if ended else []
            self.tab.settle(held, ended)

    def begin(self) -> None:
        """Count a tool call before it is made, so that calls side by side cannot pass the budget."""
        self.tool_calls += 1

    def note(self, tool: str, query: str, found: list[Found], dropped: int = 0) -> None:
        """Write down what one tool call brought."""
        self.dropped += dropped
        self.found += found
        self.progress.emit("panelist.tool", seat=self.seat, tool=tool, query=query[:200], found=len(found))
