"""Nobody waits for the slowest: a run's time with a quorum, against waiting for everybody.

    python benchmarks/tail.py [RUNS]

Three seats answer after lognormal latencies (median 0.4 s, sigma 0.8), judge and synthesizer after 0.1 s each; the
quorum is 2 with 0.1 s of grace. The second table lets 5 % of the seats hang, under a seat's timeout of 10 s. Each run
is the real graph; the naive one waits for the same three latencies with `asyncio.gather`. Time is virtual.
"""

import asyncio
import math
import random
import sys
from collections.abc import AsyncIterator
from statistics import quantiles
from time import process_time
from typing import Any

import virtual_time
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk as Chunk
from langchain_core.outputs import ChatResult

from fusion_tool import FusionConfig, Limits, PanelFailed, Panelist, afuse
from fusion_tool.testing import ScriptedChat

RUNS, AT_ONCE, SEED = 5000, 100, 20261122
SEATS, MEDIAN, SIGMA = 3, 0.4, 0.8
STAGE, QUORUM, GRACE = 0.1, 2, 0.1
HANGING, TIMEOUT = 0.05, 10.0
ANALYSIS = '{"consensus": ["They agree."]}'


class Slow(ScriptedChat):
    """Answers after `latency` seconds."""

    latency: float

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await asyncio.sleep(self.latency)
        return await super()._agenerate(messages, *args, **kwargs)

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> AsyncIterator[Chunk]:
        await asyncio.sleep(self.latency)
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


def drawn(rng: random.Random, hanging: float) -> list[float]:
    """One run's latencies in seconds."""
    return [math.inf if rng.random() < hanging else rng.lognormvariate(math.log(MEDIAN), SIGMA) for _ in range(SEATS)]


def config(latencies: list[float]) -> FusionConfig:
    def slow(name: str, latency: float, said: str = "An answer.") -> Panelist:
        return Panelist(model=Slow(replies=[said], model_name=name, latency=min(latency, 1e6)))

    return FusionConfig(
        panel=tuple(slow(f"seat-{n}", latency) for n, latency in enumerate(latencies)),
        judge=slow("judge", STAGE, ANALYSIS),
        synthesizer=slow("writer", STAGE),
        search=None,
        bash="off",
        limits=Limits(quorum=QUORUM, grace_seconds=GRACE, seat_seconds=TIMEOUT),
    )


async def fused(latencies: list[float]) -> float:
    """Seconds that the graph took; a panel of which nobody answers fails at its timeout."""
    now = asyncio.get_running_loop().time
    begin = now()
    try:
        result = await afuse("Which?", config(latencies))
    except PanelFailed:
        check(min(latencies) >= TIMEOUT)
    else:
        check(len(result.responses) + len(result.failed_models) == SEATS)
        check((result.analysis is not None) == (len(result.responses) >= QUORUM))
    took, (_, second, third) = now() - begin, sorted(latencies)
    if second < TIMEOUT:  # otherwise stages are left out
        check(math.isclose(took, min(second + GRACE, third, TIMEOUT) + 2 * STAGE, abs_tol=1e-3))
    return took


async def naive(latencies: list[float]) -> float:
    """Seconds that waiting for everybody took."""
    now = asyncio.get_running_loop().time
    begin = now()
    await asyncio.gather(*(asyncio.sleep(min(latency, TIMEOUT)) for latency in latencies))
    await asyncio.sleep(STAGE)
    await asyncio.sleep(STAGE)
    return now() - begin


async def measure(runs: int, hanging: float) -> tuple[list[float], list[float]]:
    """The seconds of `runs` runs, naive and with a quorum, over the same latencies."""
    rng = random.Random(SEED)
    draws = [drawn(rng, hanging) for _ in range(runs)]
    waits, quorums = [], []
    for start in range(0, runs, AT_ONCE):
        batch = draws[start : start + AT_ONCE]
        waits += await asyncio.gather(*map(naive, batch))
        quorums += await asyncio.gather(*map(fused, batch))
    return waits, quorums


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a wrong result would be no measurement")


def report(title: str, waits: list[float], quorums: list[float], targets: dict[int, float]) -> None:
    slow, quick = (quantiles(seconds, n=100, method="inclusive") for seconds in (waits, quorums))
    print(f"\n{title}\n\n| | naive | quorum | ratio | target |\n|---|---|---|---|---|")
    for percent in (50, 95, 99):
        one, other = slow[percent - 1], quick[percent - 1]
        target = f"{targets[percent]:.2f}" if percent in targets else ""
        print(f"| p{percent} | {one:.2f} s | {other:.2f} s | {other / one:.2f} | {target} |", flush=True)


if __name__ == "__main__":
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    for title, hanging, targets in (
        (f"{runs:,} runs", 0.0, {50: 0.80, 95: 0.60}),
        (f"{runs:,} runs, {HANGING:.0%} of the seats hang", HANGING, {99: 0.35}),
    ):
        cpu = process_time()
        report(title, *virtual_time.run(measure(runs, hanging)), targets)
        print(f"\n{(process_time() - cpu) / runs * 1000:.0f} ms CPU a run")
