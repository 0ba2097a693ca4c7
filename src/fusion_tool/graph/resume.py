"""`PriorAttempts`: what a step of the graph had done before its process died, as its checkpointer knows it.

LangGraph keeps what the finished seats of a broken-off step wrote as the checkpoint's pending writes, and asks only
the others again. Those find here the records of the finished ones, and which calls they themselves had made and what
they may have spent: before it works each task leaves a mark among the pending writes, and another one before each
call. Marks stand under a task's id that no task has, so that LangGraph passes them over.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

from langgraph.config import get_config
from langgraph.runtime import Runtime

from fusion_tool.budget.ledger import Ledger, Spent, StageBudget
from fusion_tool.budget.usage import Call, StageName
from fusion_tool.budget.written import StageProgress, WrittenBudget
from fusion_tool.graph.state import SeatRecord

# The runtime does not show the checkpointer, whose pending writes are the only memory of a step that was broken off.
_CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph hands a graph's checkpointer down to its tasks, whoever provided it."""
_BEGUN, _SPENT, _CALLS = "begun", "spent", "calls"
_WRITES_CALLS = "calls are written"
"""What an attempt's first mark says; where it says something else, another version left it, without its calls."""
Write: TypeAlias = tuple[str, str, Any]


@dataclass(frozen=True)
class PriorAttempts:
    """The earlier attempts at a task of the graph.

    Args:
        records: Records of the step's finished seats.
        ended: The rows of the calls that had ended.
        under_way: The models of the calls that had not, or of which that is not known.
        untold: How many attempts left no word of their calls.
        spent: Dollars and tokens that those attempts may have spent; nothing where there was no limit.
        write: Writes down what the task does; `None` without a checkpointer.
    """

    records: tuple[SeatRecord, ...] = ()
    ended: tuple[Call, ...] = ()
    under_way: tuple[str, ...] = ()
    untold: int = 0
    spent: Spent = field(default_factory=Spent)
    write: Callable[[StageProgress], Awaitable[None]] | None = None

    def calls(self, stage: StageName, model: str, seat: str | None = None) -> list[Call]:
        """Return the bill of those attempts: nobody knows what the calls cost that were under way."""
        unknown = [*self.under_way, *[model] * self.untold]
        return [*self.ended, *(Call(stage=stage, seat=seat, model=name) for name in unknown)]

    def stage_budget(self, ledger: Ledger, stage: StageName, part: float = 1.0) -> StageBudget:
        """Return the task's budget, on which those attempts count with what they may have spent at most."""
        if self.write is None:
            return StageBudget(ledger, stage, part, spent=self.spent)
        return WrittenBudget(ledger, stage, part, spent=self.spent, write=self.write)


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
    begun = [value for task_id, _, value in writes if task_id.startswith(mark)]
    await checkpointer.aput_writes({"configurable": here}, [(_BEGUN, _WRITES_CALLS)], task_id=f"{mark}/{len(begun)}")
    # Each attempt counts what its own stage has used, the ones before it among them: the highest sums are the last.
    own = [write for write in writes if write[0].startswith(f"{info.task_id}/{_SPENT}")]
    spent = [value for _, channel, value in own if channel == _SPENT]
    ended, under_way = _read_calls(own)
    return PriorAttempts(
        records=tuple(record for _, channel, value in writes if channel == "records" for record in value),
        ended=ended,
        under_way=under_way,
        untold=sum(value != _WRITES_CALLS for value in begun),
        spent=Spent(max((usd for usd, _ in spent), default=0.0), max((int(tokens) for _, tokens in spent), default=0)),
        write=_mark_writer(checkpointer, here, f"{info.task_id}/{_SPENT}/{len(begun)}"),
    )


def _read_calls(marks: Sequence[Write]) -> tuple[tuple[Call, ...], tuple[str, ...]]:
    """Return the rows of the calls that had ended in earlier attempts, and the models of those that had not."""
    attempts: dict[str, dict[int, Any]] = defaultdict(dict)
    for task_id, channel, value in marks:
        if channel == _CALLS:
            attempt, _, number = task_id.rpartition("/")
            attempts[attempt][int(number)] = value
    ended = [row for told in attempts.values() for number in sorted(told) for row in told[number]["ended"]]
    under_way = [name for told in attempts.values() for name in told[max(told)]["under_way"]]
    return tuple(map(Call.model_validate, ended)), tuple(under_way)


def _mark_writer(checkpointer: Any, here: dict[str, Any], mark: str) -> Callable[[StageProgress], Awaitable[None]]:
    """Return what writes down that a call begins, and what became of those before it."""
    numbers = count()

    async def write(progress: StageProgress) -> None:
        calls = {"ended": [row.model_dump(mode="json") for row in progress.ended], "under_way": progress.under_way}
        writes: list[tuple[str, Any]] = [(_CALLS, calls)]
        if any(progress.spent):
            writes.append((_SPENT, list(progress.spent)))
        # A mark cannot be replaced, so each is a new one.
        await checkpointer.aput_writes({"configurable": here}, writes, task_id=f"{mark}/{next(numbers)}")

    return write
