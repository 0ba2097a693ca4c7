"""What the OpenAI-compatible server carries beside a plain one, and what it adds to a first word.

    python benchmarks/serve.py [--crowd]

Three seats, no tools, answers of 60 deltas, from a provider without latency in a process of its own; clients in this
one. `plain_server.py` makes the same calls; both take turns. `--crowd` adds the 500 streams at once. First words are
measured with a writer that sends its deltas apart, once over HTTP and once by `astream` in this process.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import httpx
from ladder import for_openai, record_payloads
from provider import ANSWER, COMPARISON, JUDGE, SEATS, WRITER

from fusion_tool import astream
from fusion_tool.config.loading import resolve_config

AT_ONCE, RUNS, CROWD, ALONE, TURNS = 20, 60, 500, 15, 3
SLOW_WRITER = "slow-writer"
BODY = {"model": "fusion", "stream": True, "messages": [{"role": "user", "content": "How were the sites spread?"}]}


@contextmanager
def running(*command: str, says: str) -> Iterator[tuple[str, int]]:
    """A process of ours: the URL on its first line, and its id."""
    root = Path(__file__).parent.parent
    with subprocess.Popen(  # noqa: S603 - our own commands
        [sys.executable, *command], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().strip().removeprefix(says), process.pid
        finally:
            process.terminate()


@contextmanager
def server(file: Path, *options: str) -> Iterator[tuple[str, int]]:
    """The base URL of `fusion-tool serve`, and its process."""
    command = ("-m", "fusion_tool", "serve", "--config", str(file), "--port", "0", "--max-runs", "1000", *options)
    with running(*command, says="listening on ") as started:
        yield started


@contextmanager
def plain_server(upstream: str, folder: Path) -> Iterator[tuple[str, int]]:
    """The base URL of the plain server, and its process; it sends what one `astream` sends."""
    file = folder / "payloads.json"
    payloads = record_payloads("astream")
    file.write_text(json.dumps([for_openai(payloads[model]) for model in (*SEATS, JUDGE, WRITER)]), "utf-8")
    os.environ |= {"OPENROUTER_BASE_URL": upstream}  # which the recording has changed
    with running("benchmarks/plain_server.py", upstream, str(file), says="listening on ") as started:
        yield started


def settings(writer: str) -> str:
    """The panel as a file."""

    def one(model: str) -> str:
        return f'{{ model = "openrouter:{model}" }}'

    seats = ", ".join(map(one, SEATS))
    return (
        f'panel = [{seats}]\njudge = {one(JUDGE)}\nsynthesizer = {one(writer)}\nsearch = false\nbash = "off"\n'
        "[limits]\nseconds = 600\n"
    )


async def streamed(client: httpx.AsyncClient, url: str) -> float:
    """Seconds until an answer's first word; the answer is read to its end, and checked."""
    start, first, text = perf_counter(), None, ""
    async with client.stream("POST", f"{url}/chat/completions", json=BODY) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: {"):
                continue
            choices = json.loads(line[6:])["choices"]
            said = choices[0]["delta"].get("content") if choices else ""
            if said and first is None:
                first = perf_counter() - start
            text += said or ""
    if text != ANSWER or first is None:
        raise AssertionError(f"a wrong answer would be no measurement: {text[:80]!r}")
    return first


async def throughput(url: str, pid: int, runs: int, at_once: int) -> tuple[float, float, int]:
    """Runs a second, CPU milliseconds a run of the server's processes, and failures."""
    room = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with room:
            await streamed(client, url)

    async with httpx.AsyncClient(timeout=300, limits=httpx.Limits(max_connections=at_once)) as client:
        await asyncio.gather(*(streamed(client, url) for _ in range(8)))  # every worker is warm
        start, cpu = perf_counter(), cpu_seconds(pid)
        done = await asyncio.gather(*(one() for _ in range(runs)), return_exceptions=True)
        took, spent = perf_counter() - start, cpu_seconds(pid) - cpu
    return runs / took, spent / runs * 1000, sum(isinstance(one, BaseException) for one in done)


def cpu_seconds(pid: int) -> float:
    """CPU that a process and its children have used; Linux."""
    children = [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in read(task / "children").split()]
    user, system = read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK") + sum(map(cpu_seconds, children))


def read(path: Path) -> str:
    return path.read_text("ascii", errors="replace")


async def first_words(url: str, file: Path) -> tuple[float, float]:
    """Milliseconds to the first word, over HTTP and in this process, alternately."""
    config = resolve_config(file)
    served, own = list[float](), list[float]()
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(ALONE + 2):
            served.append(await streamed(client, url))
            start, first = perf_counter(), 0.0
            async for event in astream(BODY["messages"][0]["content"], config):  # type: ignore[index]
                if event["type"] == "synthesis.delta" and not first:
                    first = perf_counter() - start
            own.append(first)
    return median(served[2:]) * 1000, median(own[2:]) * 1000


def row(name: str, rate: float, cpu: float, failed: int, runs: int) -> None:
    print(f"| {name} | {rate:.1f} | {cpu:.0f} ms | {failed} of {runs} |", flush=True)


def beside_plain(plain: tuple[str, int], ours: tuple[str, int]) -> None:
    """Print both servers' rows, and how much more CPU ours takes: the median of each turn's ratio."""
    turns = [[asyncio.run(throughput(*one, RUNS, AT_ONCE)) for one in (plain, ours)] for _ in range(TURNS)]
    for name, measured in zip(("plain server", "one process"), zip(*turns, strict=True), strict=True):
        rates, spent, failures = zip(*measured, strict=True)
        row(name, median(rates), median(spent), sum(failures), TURNS * RUNS)
    print(f"| one process of plain server (target 1.6) | | {median(own[1] / base[1] for base, own in turns):.2f} | |")


def upstream() -> None:
    """The provider: no latency; the slow writer's deltas come 2 ms apart."""
    from tests.scripted_server import Reply, ScriptedServer

    with ScriptedServer() as provider:
        provider.otherwise(Reply(ANSWER))
        provider.reply(JUDGE, json.dumps(COMPARISON))
        provider.reply(WRITER, Reply(ANSWER))
        provider.reply(SLOW_WRITER, Reply(ANSWER, chunk_delay=0.002))
        print(provider.url, flush=True)
        while True:
            time.sleep(3600)


def main(folder: Path, *, crowd: bool) -> None:
    fast, slow = folder / "fast.toml", folder / "slow.toml"
    scripted = "import sys; sys.path.append('benchmarks'); import serve; serve.upstream()"
    with running("-c", scripted, says="") as (url, _):
        os.environ |= {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": "a-key-of-nobody"}
        fast.write_text(settings(WRITER), "utf-8")
        slow.write_text(settings(SLOW_WRITER), "utf-8")
        print("| | runs a second | CPU a run | failed |\n|---|---|---|---|", flush=True)
        with plain_server(url, folder) as plain, server(fast) as ours:
            beside_plain(plain, ours)
        with server(fast, "--workers", "2") as (at, pid):
            row("--workers 2", *asyncio.run(throughput(at, pid, RUNS, AT_ONCE)), RUNS)
        if crowd:
            with server(fast) as (at, pid):
                row(f"{CROWD} streams at once", *asyncio.run(throughput(at, pid, CROWD, CROWD)), CROWD)
        with server(slow) as (at, _):
            served, own = asyncio.run(first_words(at, slow))
        print(f"\nfirst word: {served:.0f} ms over HTTP, {own:.0f} ms by astream, {served - own:.0f} ms added")


if __name__ == "__main__":
    with TemporaryDirectory() as name:
        main(Path(name), crowd="--crowd" in sys.argv)
