"""What a resumed run's listeners missed: the events of what is done, out of its state."""

from collections.abc import Iterator
from typing import Any

from fusion_tool.briefing import own_records
from fusion_tool.nodes.panelist import ending
from fusion_tool.state import FusionState


def recap(state: FusionState, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The events up to here, without the seats' tools and the text.

    Args:
        state: The run's, with what the finished seats of a step that was broken off wrote.
        labels: The seats' labels, in the panel's order.
    """
    plan, judgement, records = state["plan"], state["judgement"], own_records(state)
    yield {"type": "run.started", "question": state["run"]["question"]}
    seats = [labels[seat] for seat in plan["seats"]]
    yield {"type": "plan.chosen", "strategy": plan["strategy"], "seats": seats, "reason": plan["reason"]}
    yield from map(ending, records)
    if judgement:
        answered = sum(record["answered"] for record in records)
        yield {"type": "panel.closed", "answered": answered, "failed": len(records) - answered}
        found = judgement["output"]
        yield {
            "type": "judge.completed",
            "consensus": len(found["consensus"]) if found else None,
            "contradictions": len(found["contradictions"]) if found else None,
        }
