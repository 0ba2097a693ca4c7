"""What a step of the graph had done before its process died, as its checkpointer knows it.

LangGraph keeps what the finished seats of a broken-off step wrote as the checkpoint's pending writes, and asks only
the others again. Those find here what the finished ones brought, and how often they themselves had begun: before it
works, each leaves a mark among the pending writes, under a task's id that no task has, so that LangGraph passes it
over.
"""

from dataclasses import dataclass
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from fusion_tool.state import SeatRecord
from fusion_tool.usage import Call, Stage

_CHECKPOINTER = "__pregel_checkpointer"
"""Where LangGraph hands a graph's checkpointer down to its tasks, whoever provided it."""
_MARK = "begun"


@dataclass(frozen=True)
class Earlier:
    """The records of the step's finished seats, and how often this task had begun without an end."""

    records: tuple[SeatRecord, ...] = ()
    begun: int = 0

    def unknown_calls(self, stage: Stage, model: str, seat: str | None = None) -> list[Call]:
        """The bill's rows for those beginnings: what they had spent when their process died nobody wrote down."""
        return [Call(stage=stage, seat=seat, model=model)] * self.begun


async def earlier(runtime: Runtime[Any]) -> Earlier:
    """What came before this task in its step; marks that it has begun.

    Without a checkpointer nothing came before.
    """
    configurable, info = get_config().get("configurable", {}), runtime.execution_info
    checkpointer = configurable.get(_CHECKPOINTER)
    if checkpointer is None or info is None:
        return Earlier()
    here = {
        "thread_id": info.thread_id,
        "checkpoint_ns": info.checkpoint_ns.rpartition("|")[0],
        "checkpoint_id": info.checkpoint_id,
    }
    saved = await checkpointer.aget_tuple({"configurable": here})
    writes = saved.pending_writes if saved and saved.pending_writes else []
    mark = f"{info.task_id}/{_MARK}"
    begun = sum(task_id.startswith(mark) for task_id, _, _ in writes)
    await checkpointer.aput_writes({"configurable": here}, [(_MARK, begun)], task_id=f"{mark}/{begun}")
    return Earlier(tuple(record for _, channel, value in writes if channel == "records" for record in value), begun)
