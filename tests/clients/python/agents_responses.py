"""Run an agent of openai-agents with a function tool over responses: the base URL; print both runs' output."""

import asyncio
import json
import sys

from agents import Agent, OpenAIProvider, RunConfig, Runner, function_tool, set_tracing_disabled

paths = []


@function_tool
def read_file(path: str) -> str:
    """Read a file."""
    paths.append(path)
    return "The Alder mill burned down in 1902."


async def main() -> None:
    """Run the agent whole and streamed."""
    set_tracing_disabled(True)
    provider = OpenAIProvider(base_url=sys.argv[1], api_key="unused", use_responses=True)
    agent = Agent(name="reader", instructions="Be brief.", model="fusion-agent", tools=[read_file])
    config = RunConfig(model_provider=provider)
    whole = await Runner.run(agent, "What burned down?", run_config=config)
    streamed = Runner.run_streamed(agent, "What burned down?", run_config=config)
    deltas = ""
    async for event in streamed.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            deltas += event.data.delta
    tokens = whole.context_wrapper.usage.total_tokens
    report = {"whole": whole.final_output, "streamed": streamed.final_output, "deltas": deltas, "paths": paths}
    print(json.dumps({**report, "tokens": tokens}))


asyncio.run(main())
