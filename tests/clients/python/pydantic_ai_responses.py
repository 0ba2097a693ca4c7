"""Run an agent of pydantic-ai with a function tool over responses: the base URL; print its outputs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterable

from pydantic_ai import Agent, AgentStreamEvent, RunContext
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

model = OpenAIResponsesModel("fusion-agent", provider=OpenAIProvider(base_url=sys.argv[1], api_key="unused"))
agent = Agent(model, instructions="Be brief.")
paths = []


@agent.tool_plain
def read_file(path: str) -> str:
    """Read a file."""
    paths.append(path)
    return "The Alder mill burned down in 1902."


async def watch(_: RunContext, events: AsyncIterable[AgentStreamEvent]) -> None:
    """Read the events of a run, which makes its requests streams."""
    async for _event in events:
        pass


async def main() -> None:
    """Run the agent whole, go on from it, and run it streamed."""
    whole = await agent.run("What burned down?")
    followed = await agent.run("When?", message_history=whole.all_messages())
    streamed = await agent.run("What burned down?", event_stream_handler=watch)
    report = {"whole": whole.output, "followed": followed.output, "streamed": streamed.output, "paths": paths}
    print(json.dumps({**report, "tokens": whole.usage.total_tokens}))


asyncio.run(main())
