"""What SQLite and PostgreSQL carry: runs kept a second, and hits of the response cache, by 1, 4 and 16 processes.

    python benchmarks/stores.py [postgresql://user:password@host/name] [ROUNDS]

The models are scripted and answer at once, so that nothing but the run itself and its store takes time; `not kept` is
the same run without a store. Every process has four runs at once. The figures are medians of the rounds.
"""

import asyncio
import multiprocessing
import os
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from provider import JUDGE, SEATS, WRITER, provider

from fusion_tool import FusionConfig, FusionResult, afuse
from fusion_tool.testing import fake_config

PROCESSES, AT_ONCE, ROUNDS = (1, 4, 16), 4, 3
RUNS, HITS, QUESTION = 64, 320, "Where were the sites?"
"""Of a round, all processes together; all ask the same."""


def cached_config() -> FusionConfig:
    """A panel whose results the cache can tell apart: its models have names."""
    seats, judge, writer = (f"openrouter:{name}" for name in (next(iter(SEATS)), JUDGE, WRITER))
    options: dict[str, Any] = {"judge": judge, "synthesizer": writer, "search": None, "bash": "off", "health": False}
    return FusionConfig(panel=(seats,), strategy="solo", cache=True, **options)


KINDS: dict[str, Callable[[], Awaitable[FusionResult]]] = {
    "not kept": lambda: afuse(QUESTION, fake_config()),
    "kept": lambda: afuse(QUESTION, fake_config(), keep=True),
    "hits": lambda: afuse(QUESTION, cached_config()),
}


def worker(kind: str, share: int, rounds: int, together: Any, spans: Any) -> None:
    """Do a share of each round, begun by all processes at the same time."""

    async def work() -> None:
        places = asyncio.Semaphore(AT_ONCE)

        async def one() -> None:
            async with places:
                result = await KINDS[kind]()
                assert not result.degraded, result.degraded  # noqa: S101 - a store that failed is not measured

        await asyncio.gather(*(one() for _ in range(AT_ONCE)))  # connections, tables, imports
        for number in range(rounds):
            await asyncio.to_thread(together.wait)
            begun = time.monotonic()
            await asyncio.gather(*(one() for _ in range(share)))
            spans.put((number, begun, time.monotonic()))

    asyncio.run(work())


def rate(kind: str, processes: int, rounds: int) -> float:
    """Runs or hits a second of `processes` together, the median of the rounds."""
    count = HITS if kind == "hits" else RUNS
    context = multiprocessing.get_context("spawn")
    together, spans = context.Barrier(processes), context.Queue()
    arguments = (kind, count // processes, rounds, together, spans)
    workers = [context.Process(target=worker, args=arguments) for _ in range(processes)]
    for one in workers:
        one.start()
    told = [spans.get(timeout=600) for _ in range(processes * rounds)]
    for one in workers:
        one.join()
    by_round = [[(begun, ended) for number, begun, ended in told if number == one] for one in range(rounds)]
    return median(count / (max(end for _, end in rows) - min(begin for begin, _ in rows)) for rows in by_round)


def main(address: str | None = None, rounds: str = str(ROUNDS)) -> None:
    print("| | " + " | ".join(f"{count} processes" for count in PROCESSES) + " |\n|---|" + "---|" * len(PROCESSES))
    with TemporaryDirectory() as folder, provider() as url:
        os.environ |= {"XDG_DATA_HOME": folder, "XDG_CACHE_HOME": folder, "OPENROUTER_BASE_URL": url}
        os.environ["OPENROUTER_API_KEY"] = "a-key-of-nobody"
        rows = [
            ("not kept", None),
            ("kept", None),
            ("hits", None),
            *([("kept", address), ("hits", address)] * bool(address)),
        ]
        for kind, store in rows:
            os.environ |= {"FUSION_DATABASE_URL": store or ""}
            figures = [rate(kind, processes, int(rounds)) for processes in PROCESSES]
            name = kind if kind == "not kept" else f"{kind}, {'PostgreSQL' if store else 'SQLite'}"
            print(f"| {name} | " + " | ".join(f"{figure:.0f}" for figure in figures) + " |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
