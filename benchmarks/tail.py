"""Nobody waits for the slowest: a run's time with a quorum, against waiting for everybody; and what a user feels.

    python benchmarks/tail.py [RUNS]
    python benchmarks/tail.py --felt [RUNS]

Three seats answer after lognormal latencies (median 0.4 s, sigma 0.8), judge and synthesizer after 0.1 s each; the
quorum is 2 with 0.1 s of grace. The second table lets 5 % of the seats hang, under a seat's timeout of 10 s. Each run
is the real graph; the naive one waits for the same three latencies with `asyncio.gather`.

The third table has no quorum: all three seats are waited for, without and with hedging at 10 % of extra calls. Each
seat's fallback is as quick and as slow as its model. Runs begin one after the other, twenty a second, as at a server's:
what is known of a model are the calls that have ended so far. Both columns draw the same latencies for the seats' own
models. Time is virtual.

`--felt` takes real time: one run after the other against the scripted provider in OpenRouter's place, whose latencies
are known, without tools and with seats that make three tool rounds in the same time. What a run takes above these
latencies is its overhead.
"""

import asyncio
import math
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from statistics import quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any, ClassVar
from unittest.mock import patch

import virtual_time
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk as Chunk
from langchain_core.outputs import ChatResult
from langchain_core.tools import tool
from provider import ANSWER, CRITICAL_PATH, JUDGE, LATENCY, TOOL_SEATS, WRITER, provider
from provider import SEATS as WITHOUT_TOOLS

from fusion_tool import FusionConfig, Limits, PanelFailed, Panelist, afuse, astream
from fusion_tool.models import factory
from fusion_tool.testing import ScriptedChat

RUNS, FELT_RUNS, AT_ONCE, SEED = 5000, 40, 100, 20261122
SEATS, MEDIAN, SIGMA = 3, 0.4, 0.8
STAGE, QUORUM, GRACE = 0.1, 2, 0.1
HANGING, TIMEOUT = 0.05, 10.0
HEDGE, RUNS_A_SECOND = 0.1, 20
ANALYSIS = '{"consensus": ["They agree."]}'


class Slow(ScriptedChat):
    """Answers after `latency` seconds."""

    latency: float = 0.0

    async def wait(self) -> None:
        """Let the latency pass."""
        await asyncio.sleep(self.latency)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        await self.wait()
        return await super()._agenerate(messages, *args, **kwargs)

    async def _astream(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> AsyncIterator[Chunk]:
        await self.wait()
        async for chunk in super()._astream(messages, *args, **kwargs):
            yield chunk


class Drawing(Slow):
    """Draws its latency call by call, in the same run the same one."""

    run: ClassVar[ContextVar[int]] = ContextVar("run")
    calls: ClassVar[Counter[str]] = Counter()

    async def wait(self) -> None:
        """Let a new one pass."""
        self.calls[self.model_name.rpartition("-")[0]] += 1
        await asyncio.sleep(latency(random.Random(f"{SEED}/{self.run.get()}/{self.model_name}")))


def latency(rng: random.Random) -> float:
    """One seat's, in seconds."""
    return rng.lognormvariate(math.log(MEDIAN), SIGMA)


def drawn(rng: random.Random, hanging: float) -> list[float]:
    """One run's latencies in seconds."""
    return [math.inf if rng.random() < hanging else latency(rng) for _ in range(SEATS)]


def slow(name: str, seconds: float, said: str = "An answer.") -> Panelist:
    return Panelist(model=Slow(replies=[said], model_name=name, latency=min(seconds, 1e6)))


def config(panel: Iterable[Panelist], **settings: Any) -> FusionConfig:
    return FusionConfig(
        panel=tuple(panel),
        judge=slow("judge", STAGE, ANALYSIS),
        synthesizer=slow("writer", STAGE),
        search=None,
        bash="off",
        **settings,
    )


async def fused(latencies: list[float]) -> float:
    """Seconds that the graph took; a panel of which nobody answers fails at its timeout."""
    panel = (slow(f"seat-{n}", seconds) for n, seconds in enumerate(latencies))
    limits = Limits(quorum=QUORUM, grace_seconds=GRACE, seat_seconds=TIMEOUT)
    now = asyncio.get_running_loop().time
    begin = now()
    try:
        result = await afuse("Which?", config(panel, limits=limits))
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


async def built(panelist: Panelist) -> Drawing:
    return Drawing(replies=["An answer."], model_name=panelist.served_name)


async def waited(number: int, asked: FusionConfig) -> float:
    """Seconds that a run took which waits for every seat."""
    now = asyncio.get_running_loop().time
    await asyncio.sleep(number / RUNS_A_SECOND)
    Drawing.run.set(number)
    begin = now()
    result = await afuse("Which?", asked)
    check(len(result.responses) == SEATS and not result.degraded)
    return now() - begin


async def arriving(runs: int, hedge: float | None) -> list[float]:
    """The seconds of `runs` runs that begin one after the other."""
    panel = (Panelist(model=f"ollama:seat-{n}", fallbacks=(f"ollama:spare-{n}",)) for n in range(SEATS))
    asked = config(panel, hedge=hedge)
    with patch.object(factory, "_build", built):
        return await asyncio.gather(*(waited(number, asked) for number in range(runs)))


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


@tool
async def lookup(word: str) -> str:
    """What the survey says about a word."""
    return f"The survey has an entry on {word}. " * 20


def asked_by_http(seats: Iterable[str]) -> FusionConfig:
    """The configuration of a run at the scripted provider."""
    return FusionConfig(
        panel=tuple(f"openrouter:{seat}" for seat in seats),
        judge=f"openrouter:{JUDGE}",
        synthesizer=f"openrouter:{WRITER}",
        search=None,
        bash="off",
    )


@contextmanager
def hosted() -> Iterator[None]:
    """The scripted provider in OpenRouter's place, and a data folder of its own."""
    with provider() as url, TemporaryDirectory() as folder:
        place = {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": "none", "XDG_DATA_HOME": folder}
        with patch.dict(os.environ, place):
            yield


async def whole(asked: FusionConfig) -> dict[str, float]:
    """What `afuse` adds to its models' time, in milliseconds."""
    begin = perf_counter()
    result = await afuse("How were the sites spread?", asked, panel_tools=[lookup])
    took = perf_counter() - begin
    check(result.answer == ANSWER and not result.degraded and result.analysis is not None)
    return {"afuse": (took - CRITICAL_PATH) * 1000}


async def streamed(asked: FusionConfig) -> dict[str, float]:
    """What `astream` adds to them, and to the first token of the answer after the judge's reply, in milliseconds."""
    begin, came = perf_counter(), dict[str, float]()
    async for event in astream("How were the sites spread?", asked, panel_tools=[lookup]):
        came.setdefault(event["type"], perf_counter() - begin)
    first = came["synthesis.delta"] - came["judge.completed"] - LATENCY[WRITER]
    return {"astream": (came["run.completed"] - CRITICAL_PATH) * 1000, "first token after the judge": first * 1000}


async def feel(runs: int) -> dict[tuple[str, str], list[float]]:
    """Milliseconds above the models' own time, by what is measured and which seats; the first runs are not counted."""
    kinds = {"no tools": WITHOUT_TOOLS, "three tool rounds": TOOL_SEATS}
    above: dict[tuple[str, str], list[float]] = {}
    for turn in range(-2, runs):
        for kind, seats in kinds.items():  # in turns, so that a busy machine is busy for all of them
            asked = asked_by_http(seats)
            for name, spent in ((await whole(asked)) | (await streamed(asked))).items():
                above.setdefault((name, kind), []).extend([spent] if turn >= 0 else [])
    return above


def report_felt(above: dict[tuple[str, str], list[float]]) -> None:
    slowest = max(WITHOUT_TOOLS.values())
    print(f"The slowest seat takes {slowest:.1f} s, judge and writer {CRITICAL_PATH - slowest:.2f} s after it.\n")
    print("| above that | | p50 | p95 |\n|---|---|---|---|")
    for (name, kind), spent in above.items():
        at = quantiles(spent, n=100, method="inclusive")
        print(f"| {name} | {kind} | {at[49]:.0f} ms | {at[94]:.0f} ms |", flush=True)


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a wrong result would be no measurement")


def report(
    title: str, waits: list[float], others: list[float], targets: dict[int, float], names: str = "naive | quorum"
) -> None:
    slow, quick = (quantiles(seconds, n=100, method="inclusive") for seconds in (waits, others))
    print(f"\n{title}\n\n| | {names} | ratio | target |\n|---|---|---|---|---|")
    for percent in (50, 95, 99):
        one, other = slow[percent - 1], quick[percent - 1]
        target = f"{targets[percent]:.2f}" if percent in targets else ""
        print(f"| p{percent} | {one:.2f} s | {other:.2f} s | {other / one:.2f} | {target} |", flush=True)


def main(runs: int) -> None:
    for title, hanging, targets in (
        (f"{runs:,} runs", 0.0, {50: 0.80, 95: 0.60}),
        (f"{runs:,} runs, {HANGING:.0%} of the seats hang", HANGING, {99: 0.35}),
    ):
        cpu = process_time()
        report(title, *virtual_time.run(measure(runs, hanging)), targets)
        print(f"\n{(process_time() - cpu) / runs * 1000:.0f} ms CPU a run")
    waits, hedges = (virtual_time.run(arriving(runs, hedge)) for hedge in (None, HEDGE))
    extra = Drawing.calls["spare"] / (SEATS * runs)
    check(extra <= HEDGE)
    report(f"{runs:,} runs without a quorum", waits, hedges, {95: 0.80}, "without hedging | with")
    print(f"\n{extra:.1%} extra calls")


if __name__ == "__main__":
    _, *numbers = [option for option in sys.argv if option != "--felt"]
    if "--felt" in sys.argv:
        with hosted():
            report_felt(asyncio.run(feel(int(numbers[0]) if numbers else FELT_RUNS)))
    else:
        main(int(numbers[0]) if numbers else RUNS)
