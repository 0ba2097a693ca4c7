"""The models `fusion` and `fusion-NAME`: one question, asked of a panel."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from fusion_tool.config import FusionConfig
from fusion_tool.events import Event
from fusion_tool.run import afuse, astream
from fusion_tool.servers.conversation import Conversation
from fusion_tool.servers.metrics import Metrics
from fusion_tool.servers.pieces import Emit, End, Progress, Text, beside_the_answer
from fusion_tool.servers.refusals import restarted
from fusion_tool.servers.telling import told
from fusion_tool.usage import Usage


async def run(
    asked: Conversation,
    config: FusionConfig,
    metrics: Metrics,
    on_event: Callable[[Event], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """The result of a run, as a dict; one that nobody watches costs half of the time.

    Raises:
        FusionError: As `afuse`.
    """
    result: dict[str, Any] = {}
    with metrics.run() as over:
        if on_event is None:
            done = await afuse(asked.question, config, context=asked.context, instructions=asked.instructions)
            result = done.model_dump(mode="json")
        else:
            # A generator, which closing cancels at once, with every request in flight.
            events: Any = astream(asked.question, config, context=asked.context, instructions=asked.instructions)
            async with aclosing(events):
                async for event in events:
                    await on_event(cast("Event", event))
                    result = event.get("result", result)
        over(result)
    return result


async def answer(asked: Conversation, config: FusionConfig, metrics: Metrics, emit: Emit, *, is_streamed: bool) -> End:
    """Ask the panel, and pass on its answer; where it is streamed as it is written, with what is being done.

    Raises:
        ApiError: The answer broke off after its beginning had been passed on.
        FusionError: As `afuse`.
    """
    attempts: list[int] = []

    async def pass_on(event: Event) -> None:
        if event["type"] == "synthesis.delta":
            attempts.append(event["attempt"])
            if event["attempt"] == attempts[0]:
                await emit(Text(event["text"]))
        elif (line := told(event)) is not None:
            await emit(Progress(line))

    result = await run(asked, config, metrics, pass_on if is_streamed else None)
    if len(set(attempts)) > 1:
        raise restarted(result["answer"], beside_the_answer(result))
    if not attempts:
        await emit(Text(result["answer"]))
    return End(Usage.model_validate(result["usage"]), beside_the_answer(result))
