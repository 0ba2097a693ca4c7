"""What a seat with three tool turns costs beyond its HTTP calls: CPU of a whole solo run, one at a time.

    python benchmarks/seat_tools.py

The baseline makes the same four HTTP calls with one OpenAI client. The tool returns a fixed text at once, so
that only the loop around it is measured; the run's own start and end are in the figure.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from statistics import median
from time import process_time
from typing import Any

from langchain_core.tools import tool
from openai import AsyncOpenAI
from provider import ANSWER, RESEARCHER, TOOL_TURNS, provider

from fusion_tool import FusionConfig, Panelist, build_graph

QUESTION, TIMES = "How were the region's sites spread?", 41


@tool
def lookup(word: str) -> str:
    """What the survey says about a word."""
    return f"The survey has an entry on {word}. " * 20


def fusion(url: str) -> Callable[[], Awaitable[None]]:
    config = FusionConfig(panel=(Panelist(model=RESEARCHER, base_url=url),), strategy="solo", search=None, bash="off")
    graph = build_graph(config, panel_tools=[lookup])

    async def run() -> None:
        result = (await graph.ainvoke({"question": QUESTION}))["result"]
        response = result["responses"][0]
        if response["tool_calls"] != TOOL_TURNS or response["content"] != ANSWER:
            raise AssertionError("another answer would be no measurement")

    return run


def plain(url: str) -> Callable[[], Awaitable[None]]:
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)
    spec: Any = {
        "type": "function",
        "function": {"name": "lookup", "parameters": lookup.tool_call_schema.model_json_schema()},
    }

    async def run() -> None:
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        while True:
            reply = await client.chat.completions.create(model=RESEARCHER, messages=messages, tools=[spec])
            message = reply.choices[0].message
            if not message.tool_calls:
                return
            messages.append(message.model_dump(exclude_none=True))
            for call in message.tool_calls:
                found = lookup.invoke(json.loads(call.function.arguments))
                messages.append({"role": "tool", "tool_call_id": call.id, "content": found})

    return run


async def measure(url: str) -> None:
    runs = {"plain asyncio": plain(url), "seat": fusion(url)}
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(TIMES + 2):
        for name, run in runs.items():
            start = process_time()
            await run()
            if turn >= 2:  # imports and connections are warm
                spent[name].append((process_time() - start) * 1000)
    base, seat = (median(spent[name]) for name in runs)
    print("| CPU of three tool turns and an answer | median |\n|---|---|")
    print(f"| plain asyncio, the same calls | {base:.1f} ms |\n| a solo run | {seat:.1f} ms |")
    print(f"| beyond the calls | {seat - base:.1f} ms |\n| target | 25 ms |")


if __name__ == "__main__":
    with provider() as url:
        asyncio.run(measure(url))
