"""`PriorAttempts`: what a step of the graph had done before its process died, as its checkpointer knows it.

LangGraph keeps what the finished seats of a broken-off step wrote as the checkpoint's pending writes, and asks only
the others again. Those find here the records of the finished ones, how often they themselves had begun, and what they
may have spent: before it works each task leaves a mark among the pending writes, and under a limit another one before
a call that takes it beyond what the last one says. Marks stand under a task's id that no task has, so that LangGraph
passes them over.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from fusion_tool.budget.ledger import Ledger, Spent, StageBudget
from fusion_tool.budget.usage import Call, StageName
from fusion_tool.graph.state import SeatRecord

# The runtime does not show the checkpointer, whose pending writes are the only memory of a step that was broken off.
_CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph hands a graph's checkpointer down to its tasks, whoever provided it."""
_BEGUN, _SPENT = "begun", "spent"


@dataclass(frozen=True)
class PriorAttempts:
    """The earlier attempts at a task of the graph.

    Args:
        records: Records of the step's finished seats.
        count: How often this task had begun without an end.
        spent: Dollars and tokens that those attempts may have spent; nothing where there was no limit.
        persist: Stores what the task has spent and reserved by now; `None` without a checkpointer.
    """

    records: tuple[SeatRecord, ...] = ()
    count: int = 0
    spent: Spent = field(default_factory=Spent)
    persist: Callable[[Spent], Awaitable[None]] | None = None

    def unknown_calls(self, stage: StageName, model: str, seat: str | None = None) -> list[Call]:
        """Return a row of the bill for each attempt: nobody knows what it had spent when its process died."""
        return [Call(stage=stage, seat=seat, model=model)] * self.count

    def stage_budget(self, ledger: Ledger, stage: StageName, part: float = 1.0) -> StageBudget:
        """Return the task's budget, on which those attempts count with what they may have spent at most."""
        return StageBudget(ledger, stage, part, spent=self.spent, persist=self.persist)


async def prior_attempts(runtime: Runtime[Any]) -> PriorAttempts:
    """Read the earlier attempts at this task, and mark that another one has begun.

    Without a checkpointer there are none.
    """
    configurable, info = get_config().get("configurable", {}), runtime.execution_info
    checkpointer = configurable.get(_CHECKPOINTER)
    if checkpointer is None or info is None:
        return PriorAttempts()
    # The last part of the namespace is the task's own; the checkpoint of its step stands one above.
    here = {
        "thread_id": info.thread_id,
        "checkpoint_ns": info.checkpoint_ns.rpartition("|")[0],
        "checkpoint_id": info.checkpoint_id,
    }
    saved = await checkpointer.aget_tuple({"configurable": here})
    writes = saved.pending_writes if saved and saved.pending_writes else []
    mark = f"{info.task_id}/{_BEGUN}"
    # Each beginning has a mark of its own, since a second write under the same id would be passed over.
    begun = sum(task_id.startswith(mark) for task_id, _, _ in writes)
    await checkpointer.aput_writes({"configurable": here}, [(_BEGUN, begun)], task_id=f"{mark}/{begun}")
    # Each attempt counts what its own stage has used, the ones before it among them: the highest sums are the last.
    spent = [value for task_id, _, value in writes if task_id.startswith(f"{info.task_id}/{_SPENT}")]
    return PriorAttempts(
        records=tuple(record for _, channel, value in writes if channel == "records" for record in value),
        count=begun,
        spent=Spent(max((usd for usd, _ in spent), default=0.0), max((int(tokens) for _, tokens in spent), default=0)),
        persist=_mark_writer(checkpointer, here, f"{info.task_id}/{_SPENT}/{begun}"),
    )


def _mark_writer(checkpointer: Any, here: dict[str, Any], mark: str) -> Callable[[Spent], Awaitable[None]]:
    """Return what writes the sums down, each time they are higher than ever."""
    numbers, highest = count(), Spent()

    async def persist(spent: Spent) -> None:
        nonlocal highest
        if spent.usd > highest.usd or spent.tokens > highest.tokens:
            highest = Spent(max(spent.usd, highest.usd), max(spent.tokens, highest.tokens))
            written = [(_SPENT, list(highest))]  # a mark cannot be replaced, so each is a new one
            await checkpointer.aput_writes({"configurable": here}, written, task_id=f"{mark}/{next(numbers)}")

    return persist
