"""`fan_out`: send every seat of the plan out at once. A node of its own, so that the drawing shows it."""

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from fusion_tool.briefing import own_records
from fusion_tool.config import FusionConfig
from fusion_tool.state import FusionState, SeatTask
from fusion_tool.wiring import Progress, Wiring, seconds_worked


async def fan_out(
    state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring
) -> Command[Literal["panelist"]]:
    """One `Send` a seat, so that checkpoints, Studio and errors see each seat by itself."""
    run, wave, seats = state["run"], state["wave"] + 1, state["plan"]["seats"]
    labels = wiring.settings(runtime, run).seat_labels
    Progress(runtime, run).emit("wave.started", wave=wave, seats=[labels[seat] for seat in seats])
    worked = seconds_worked(own_records(state))
    sends = [
        Send("panelist", SeatTask(run=run, wave=wave, seat=seat, seats=len(seats), worked=worked)) for seat in seats
    ]
    return Command(update={"wave": wave}, goto=sends)
