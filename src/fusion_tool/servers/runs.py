"""One run for a server's client, watched or not."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, cast

from fusion_tool.api.run import afuse, astream
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import Event, describe
from fusion_tool.servers.mcp.tool import ResearchArguments, Tell
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.request import Conversation


async def run_conversation(
    conversation: Conversation,
    config: FusionConfig,
    metrics: Metrics,
    on_event: Callable[[Event], Awaitable[None]] | None = None,
) -> dict[str, Any]:
    """The result of a run, as a dict; one that nobody watches costs half of the time.

    Raises:
        FusionError: As `afuse`.
    """
    result: dict[str, Any] = {}
    with metrics.count_run() as over:
        if on_event is None:
            done = await afuse(
                conversation.question, config, context=conversation.context, instructions=conversation.instructions
            )
            result = done.model_dump(mode="json")
        else:
            # A generator, which closing cancels at once, with every request in flight.
            events: Any = astream(
                conversation.question, config, context=conversation.context, instructions=conversation.instructions
            )
            async with aclosing(events):
                async for event in events:
                    await on_event(cast("Event", event))
                    result = event.get("result", result)
        over(result)
    return result


async def run_research(arguments: ResearchArguments, config: FusionConfig, tell: Tell | None) -> dict[str, Any]:
    """The result of a run, as a dict; one that nobody watches costs half of the time.

    Raises:
        FusionError: As `afuse`.
    """
    if tell is None:
        return (await afuse(arguments.question, config, context=arguments.context)).model_dump(mode="json")
    result: dict[str, Any] = {}
    steps, is_written = 0, False
    events: Any = astream(arguments.question, config, context=arguments.context)  # a generator, which can be closed
    async with aclosing(events):
        async for event in events:
            line = describe(event)
            if event["type"] == "synthesis.delta" and not is_written:
                line, is_written = "the answer is being written", True
            if line is not None:
                steps += 1
                await tell(steps, line)
            result = event.get("result", result)
    return result
