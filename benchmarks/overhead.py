"""What a run adds to its models' time: wall time above the critical path.

    python benchmarks/overhead.py

Three seats, no tools, one run at a time. The baseline makes the same five HTTP calls with one OpenAI client and
`asyncio.gather`.
"""

import asyncio
from statistics import median
from time import perf_counter
from typing import Any

from ladder import Run, by_gather, for_openai, products, record_payloads
from openai import AsyncOpenAI
from provider import CRITICAL_PATH, provider

TIMES = 15


def subjects(url: str) -> dict[str, Run]:
    """What is measured, by name."""
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)

    async def call(payload: dict[str, Any]) -> str:
        reply = await client.chat.completions.create(**for_openai(payload))
        return str(reply.choices[0].message.content)

    return {"plain asyncio": by_gather(call, record_payloads()), **products(url)}


async def alone(run: Run) -> float:
    """Milliseconds of wall time above the critical path."""
    start = perf_counter()
    await run()
    return (perf_counter() - start - CRITICAL_PATH) * 1000


async def measure(runs: dict[str, Run]) -> None:
    for run in runs.values():
        await run()  # imports and connections are warm from here on
    above: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(TIMES):  # in turns, so that a busy machine is busy for all of them
        for name, run in runs.items():
            above[name].append(await alone(run))
    print("| | wall above the critical path |\n|---|---|")
    for name, times in above.items():
        print(f"| {name} | {median(times):.0f} ms |")
    print("| target | 60 ms |")


if __name__ == "__main__":
    with provider() as url:
        asyncio.run(measure(subjects(url)))
