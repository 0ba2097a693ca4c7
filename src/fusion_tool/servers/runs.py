"""One run for a server's client, watched or not: all that the servers know of how a run is carried out."""

from collections.abc import Awaitable, Callable
from typing import Any

from fusion_tool.api.execution import transient_run
from fusion_tool.api.runner import final_result, request_slot, stream_run
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import Event
from fusion_tool.graph.inputs import RunInput


async def run_for_client(
    request: RunInput, config: FusionConfig, on_event: Callable[[Event], Awaitable[None]] | None = None
) -> dict[str, Any]:
    """Carry out a run, and return its result as a dict.

    Args:
        request: What is asked.
        config: The run's configuration.
        on_event: Gets every event; `None` where nobody watches, which costs half of the time.

    Raises:
        FusionError: As `afuse`.
    """
    run = transient_run(request.graph_input, config, ())
    events = stream_run(run, request_slot(request, config), is_watched=on_event is not None)
    return await final_result(events, on_event)
