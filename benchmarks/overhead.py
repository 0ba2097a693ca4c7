"""What a run costs beyond its models: wall time above the critical path, CPU a run, 1,000 runs at once.

    python benchmarks/overhead.py [--crowd]

Three seats, no tools. The baseline makes the same five HTTP calls with one OpenAI client and `asyncio.gather`.
`--crowd` adds the 1,000 runs at once, which take a minute or two.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from statistics import median
from time import perf_counter, process_time

from openai import AsyncOpenAI
from provider import ANSWER, CRITICAL_PATH, JUDGE, SEATS, WRITER, provider

from fusion_tool import FusionConfig, Limits, Panelist, afuse, astream

QUESTION = "How were the region's sites spread, and what is still open?"
ALONE, ROUNDS, AT_ONCE, CROWD = 15, 3, 100, 1000
Run = Callable[[], Awaitable[object]]


def subjects(url: str) -> dict[str, Run]:
    """What is measured, by name."""
    client = AsyncOpenAI(base_url=url, api_key="none", max_retries=0)

    def seat(model: str) -> Panelist:
        return Panelist(model=model, base_url=url)

    config = FusionConfig(
        panel=tuple(map(seat, SEATS)),
        judge=seat(JUDGE),
        synthesizer=seat(WRITER),
        search=None,
        bash="off",
        limits=Limits(seconds=600),
    )

    async def call(model: str, prompt: str) -> str:
        reply = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": prompt}])
        return reply.choices[0].message.content or ""

    async def plain() -> None:
        answers = "\n\n".join(await asyncio.gather(*(call(model, QUESTION) for model in SEATS)))
        compared = await call(JUDGE, answers)
        check(await call(WRITER, answers + compared) == ANSWER)

    async def fused() -> None:
        result = await afuse(QUESTION, config)
        check(result.answer == ANSWER and result.analysis is not None and not result.degraded)

    async def streamed() -> None:
        text = ""
        async for event in astream(QUESTION, config):
            text += event["text"] if event["type"] == "synthesis.delta" else ""
        check(text == ANSWER)

    return {"plain asyncio": plain, "afuse": fused, "astream": streamed}


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a wrong answer would be no measurement")


async def alone(run: Run) -> float:
    """Milliseconds of wall time above the critical path."""
    start = perf_counter()
    await run()
    return (perf_counter() - start - CRITICAL_PATH) * 1000


async def together(run: Run, count: int) -> tuple[float, float, int]:
    """CPU milliseconds a run, seconds of wall time, and failures, of `count` runs at once."""
    start, cpu = perf_counter(), process_time()
    done = await asyncio.gather(*(run() for _ in range(count)), return_exceptions=True)
    failed = sum(isinstance(one, BaseException) for one in done)
    return (process_time() - cpu) / count * 1000, perf_counter() - start, failed


async def measure(url: str, *, crowd: bool) -> None:
    runs = subjects(url)
    for run in runs.values():
        await run()  # imports and connections are warm from here on
    above = {name: [] for name in runs}
    cpu = {name: [] for name in runs}
    for measured, once in ((above, ALONE), (cpu, ROUNDS)):
        for _ in range(once):  # in turns, so that a busy machine is busy for all of them
            for name, run in runs.items():
                measured[name].append(await alone(run) if measured is above else (await together(run, AT_ONCE))[0])
    print("| | wall above the critical path | CPU a run, 100 at once |\n|---|---|---|")
    for name in runs:
        print(f"| {name} | {median(above[name]):.0f} ms | {median(cpu[name]):.1f} ms |")
    print("| target | 60 ms | 40 ms (afuse), 80 ms (astream) |")
    if crowd:
        print(f"\n| {CROWD} at once | failed | wall | CPU a run |\n|---|---|---|---|")
        for name, run in runs.items():
            spent, seconds, failed = await together(run, CROWD)
            print(f"| {name} | {failed} | {seconds:.0f} s | {spent:.1f} ms |", flush=True)
        print("| target | 0 | | |")


if __name__ == "__main__":
    with provider() as url:
        asyncio.run(measure(url, crowd="--crowd" in sys.argv))
