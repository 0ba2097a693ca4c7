"""What a resumed run's listeners missed: the events of what is done, out of its state."""

from collections.abc import Iterator
from typing import Any

from fusion_tool.nodes.panelist import ending
from fusion_tool.state import FusionState, SeatRecord


def recap(state: FusionState, finished: list[SeatRecord], labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The events up to here, without the seats' tools and the text.

    Args:
        state: The run's.
        finished: The seats that had ended, those of a step broken off included.
        labels: The seats' labels, in the panel's order.
    """
    plan, judgement = state["plan"], state.get("judgement")
    yield {"type": "run.started", "question": state["run"]["question"]}
    seats = [labels[seat] for seat in plan["seats"]]
    yield {"type": "plan.chosen", "strategy": plan["strategy"], "seats": seats, "reason": plan["reason"]}
    yield from map(ending, finished)
    if judgement:
        answered = sum(record["answered"] for record in finished)
        yield {"type": "panel.closed", "answered": answered, "failed": len(finished) - answered}
        found = judgement["output"]
        yield {
            "type": "judge.completed",
            "consensus": len(found["consensus"]) if found else None,
            "contradictions": len(found["contradictions"]) if found else None,
        }
