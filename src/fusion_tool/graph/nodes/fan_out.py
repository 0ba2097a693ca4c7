"""`fan_out`: send the seats of the next wave out at once. A node of its own, so that the drawing shows it."""

from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Command, Send

from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import WaveStarted
from fusion_tool.graph.limits import elapsed_work, spent_so_far, wave_seconds
from fusion_tool.graph.preflight import check_wave
from fusion_tool.graph.runtime import EventEmitter, GraphOptions
from fusion_tool.graph.state import FusionState, SeatTask, records_of_run
from fusion_tool.graph.strategies import strategy_named


async def fan_out(
    state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions
) -> Command[Literal["panelist"]]:
    """One `Send` a seat, so that checkpoints, Studio and errors see each seat by itself.

    Raises:
        ConfigError: The checkpoint was edited, and asks for more than is configured.
    """
    run, plan, wave, records = state["run"], state["plan"], state["wave"] + 1, records_of_run(state)
    config = options.config_for(runtime, run)
    check_wave(state, config)
    labels = config.seat_labels
    events = EventEmitter(runtime, run)
    events.emit(
        WaveStarted(
            type="wave.started", **events.stamp, wave=wave, seats=[labels[ask["seat"]] for ask in state["asks"]]
        )
    )
    # A follow-up, which may come after the last planned wave, needs time as well.
    more = len(plan["waves"]) - wave + config.follow_up
    task = SeatTask(
        run=run,
        wave=wave,
        ask=state["asks"][0],  # replaced below, by each seat's own
        seats=strategy_named(config.strategy).max_seats(config),
        seconds=wave_seconds(config, elapsed_work(records, state["judgement"]), more),
        spent=list(spent_so_far(records, state["judgement"])),
    )
    return Command(update={"wave": wave}, goto=[Send("panelist", {**task, "ask": ask}) for ask in state["asks"]])
