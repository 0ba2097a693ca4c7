"""What each layer of a run costs: CPU a run with 100 at once, from bare HTTP up to `astream`, and memory of 1,000 runs.

    python benchmarks/ladder.py [--crowd] [--baseline CHECKOUT]

Every rung makes the same five calls with the payloads that one `afuse` of three seats sends: three at once, then the
judge, then the writer; `astream` asks for streams instead. CPU is the process's own, the provider's is not in it. The
rungs take turns, and so do the package of another checkout and this one's, each in a process of its own, so that a busy
machine is busy for all of them; ratios are medians of each round's own.

`--crowd` measures 1,000 runs at once, each kind in a process of its own: the highest resident memory above that before
them, and failures.
"""

import argparse
import asyncio
import gc
import itertools
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from operator import add
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Annotated, Any, TypedDict

import aiohttp
import httpx2
from langchain_core.messages import convert_to_messages
from langgraph.graph import START, StateGraph
from openai import AsyncOpenAI
from provider import ANSWER, JUDGE, SEATS, WRITER, provider, script
from resident import highest_resident

from fusion_tool import FusionConfig, Limits, Panelist, afuse, astream
from fusion_tool.models.factory import chat_model

QUESTION = "How were the region's sites spread, and what is still open?"
ROUNDS, AT_ONCE, CROWD, POOLS = 5, 100, 1000, 16
BASE = "pooled httpx"
NOW, OBEY = "now", "obey"
TARGETS = {"afuse": 2.2, "astream": 2.8}
MEMORY_TARGET = 200
Payload = dict[str, Any]
Call = Callable[[Payload], Awaitable[str]]
Run = Callable[[], Coroutine[Any, Any, None]]


def panel(url: str) -> FusionConfig:
    """Three seats without tools, of models as a vendor serves them: one's own are tried, and looked at more closely."""
    os.environ |= {"OPENROUTER_BASE_URL": url, "OPENROUTER_API_KEY": "a-key-of-nobody"}

    def seat(model: str) -> Panelist:
        return Panelist(model=f"openrouter:{model}")

    return FusionConfig(
        panel=tuple(map(seat, SEATS)),
        judge=seat(JUDGE),
        synthesizer=seat(WRITER),
        search=None,
        bash="off",
        limits=Limits(seconds=600),
    )


def record_payloads(name: str = "afuse") -> dict[str, Payload]:
    """Return what one `afuse` or `astream` sends, by model."""
    sys.path.insert(0, str(Path(__file__).parent.parent))  # the scripted provider belongs to the tests
    from tests.scripted_server import ScriptedServer

    with ScriptedServer() as server:
        script(server)
        asyncio.run(products(server.url)[name]())
        return {request.model: dict(request.body) for request in server.requests if request.model}


def check(right: bool) -> None:
    if not right:
        raise AssertionError("a wrong answer would be no measurement")


def by_gather(call: Call, payloads: dict[str, Payload]) -> Run:
    """A run by `asyncio.gather`."""

    async def run() -> None:
        await asyncio.gather(*(call(payloads[model]) for model in SEATS))
        await call(payloads[JUDGE])
        check(await call(payloads[WRITER]) == ANSWER)

    return run


class _State(TypedDict):
    answers: Annotated[list[str], add]


def _node(call: Call, payload: Payload) -> Any:
    async def node(_: _State) -> _State:
        return {"answers": [await call(payload)]}

    return node


def by_graph(call: Call, payloads: dict[str, Payload]) -> Run:
    """A run by a LangGraph graph with a node for each call."""
    graph = StateGraph(_State)
    for model, payload in payloads.items():
        graph.add_node(model, _node(call, payload))
    for seat in SEATS:
        graph.add_edge(START, seat)
    graph.add_edge(list(SEATS), JUDGE)
    graph.add_edge(JUDGE, WRITER)
    compiled: Any = graph.compile()

    async def run() -> None:
        state = await compiled.ainvoke({"answers": []})
        check(state["answers"][-1] == ANSWER)

    return run


async def calls(url: str, opened: AsyncExitStack) -> dict[str, Call]:
    """Ways of making one call, by name."""
    session = await opened.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
    # A pool looks at all of its connections for each request, so that many small ones are the quickest.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    pools = [httpx2.AsyncClient(timeout=None, limits=limits) for _ in range(POOLS)]
    clients = [AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=pool) for pool in pools]
    for pool in pools:
        await opened.enter_async_context(pool)
    turn, address = itertools.count(), f"{url}/chat/completions"

    async def by_aiohttp(payload: Payload) -> str:
        async with session.post(address, json=payload) as reply:
            return text_of(await reply.json())

    async def by_httpx(payload: Payload) -> str:
        return text_of((await pools[next(turn) % POOLS].post(address, json=payload)).json())

    async def by_openai(payload: Payload) -> str:
        reply = await clients[next(turn) % POOLS].chat.completions.create(**for_openai(payload))
        return reply.choices[0].message.content or ""

    async def by_chat_model(payload: Payload) -> str:
        model = await chat_model(Panelist(model=f"openrouter:{payload['model']}"))
        options = {name: payload[name] for name in payload if name not in ("model", "messages", "usage")}
        return str((await model.ainvoke(convert_to_messages(payload["messages"]), **options)).text)

    return {"aiohttp": by_aiohttp, BASE: by_httpx, "AsyncOpenAI over it": by_openai, "our chat model": by_chat_model}


def for_openai(payload: Payload) -> Any:
    """Return what OpenAI's client takes: OpenRouter's own field is none of its parameters."""
    fields = {name: payload[name] for name in payload if name != "usage"}
    return fields | {"extra_body": {"usage": payload["usage"]}}


def text_of(reply: Payload) -> str:
    return str(reply["choices"][0]["message"]["content"])


def products(url: str) -> dict[str, Run]:
    """Runs of this package."""
    config = panel(url)

    async def fused() -> None:
        result = await afuse(QUESTION, config)
        check(result.answer == ANSWER and result.analysis is not None and not result.degraded)

    async def streamed() -> None:
        text = ""
        async for event in astream(QUESTION, config):
            text += event["text"] if event["type"] == "synthesis.delta" else ""
        check(text == ANSWER)

    return {"afuse": fused, "astream": streamed}


async def rungs(url: str, payloads: dict[str, Payload], opened: AsyncExitStack) -> dict[str, Run]:
    """What is measured, from the bottom up."""
    ways = await calls(url, opened)
    ladder = {}
    for name, call in ways.items():
        ladder[name] = by_gather(call, payloads)
        if name in ("aiohttp", "our chat model"):
            ladder[f"LangGraph over {name}"] = by_graph(call, payloads)
    return ladder | products(url)


async def cpu_of(run: Run) -> float:
    """CPU milliseconds a run, 100 at once."""
    gc.collect()
    start = process_time()
    await asyncio.gather(*(run() for _ in range(AT_ONCE)))
    return (process_time() - start) / AT_ONCE * 1000


async def obey(url: str, payloads: dict[str, Payload]) -> None:
    """Print the rungs' names, then the CPU of each that is asked for by a line of the input."""
    async with AsyncExitStack() as opened:
        ladder = await rungs(url, payloads, opened)
        print("|".join(ladder), flush=True)
        while name := (await asyncio.to_thread(sys.stdin.readline)).rstrip("\n"):
            print(await cpu_of(ladder[name]), flush=True)


def command(checkout: Path, *options: str) -> dict[str, Any]:
    """Return how `subprocess` runs this file over the package of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout.resolve() / "src")}
    return {"args": [sys.executable, __file__, *options], "env": environment, "text": True}


def measure(url: str, checkouts: dict[str, Path]) -> None:
    """Print the table, with a column for each checkout."""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    children = {when: subprocess.Popen(**command(path, OBEY, url), **options) for when, path in checkouts.items()}

    def answer(when: str, name: str = "") -> str:
        child = children[when]
        if name:
            print(name, file=child.stdin, flush=True)
        return child.stdout.readline().strip()  # type: ignore[no-any-return, union-attr] - it is a pipe

    names = {when: answer(when).split("|") for when in children}[NOW]
    spent: dict[tuple[str, str], list[float]] = {(when, name): [] for when in children for name in names}
    for round_ in range(ROUNDS + 1):
        for name in names:
            for when in children if round_ % 2 else reversed(children):
                one = float(answer(when, name))
                if round_:  # imports and connections are warm from here on
                    spent[when, name].append(one)
    for child in children.values():
        child.communicate()
    print(f"| {AT_ONCE} at once | {' | '.join(f'CPU a run {when} | of {BASE}' for when in children)} | target |")
    print("|---|" + "---|---|" * len(children) + "---|")
    for name in names:
        cells = []
        for when in children:
            times = spent[when, name]
            ratio = median(one / base for one, base in zip(times, spent[when, BASE], strict=True))
            cells.append(f"{median(times):.1f} ms | {ratio:.2f}")
        print(f"| {name} | {' | '.join(cells)} | {TARGETS.get(name, '')} |", flush=True)


async def crowd(url: str, name: str) -> None:
    """Print the row of 1,000 runs at once."""
    run = products(url)[name]
    await asyncio.gather(*(run() for _ in range(AT_ONCE)))
    start = perf_counter()
    with highest_resident() as highest:
        done = await asyncio.gather(*(run() for _ in range(CROWD)), return_exceptions=True)
    failed = sum(isinstance(one, BaseException) for one in done)
    took = perf_counter() - start
    print(f"| {name} | {highest[0] / CROWD:.0f} kB | {MEMORY_TARGET} kB | {failed} | {took:.0f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--crowd", action="store_true")
    parser.add_argument("--baseline", type=Path)
    # What the processes of their own are told, which are started below.
    parser.add_argument("what", nargs="?", choices=[OBEY, *TARGETS], help=argparse.SUPPRESS)
    parser.add_argument("url", nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.what == OBEY:
        asyncio.run(obey(options.url, record_payloads()))
    elif options.what:
        asyncio.run(crowd(options.url, options.what))
    else:
        before = {"before": options.baseline} if options.baseline else {}
        checkouts = {**before, NOW: Path(__file__).parent.parent}
        with provider() as url:
            if not options.crowd:
                measure(url, checkouts)
                return
            print(
                f"| {CROWD} at once | | memory a run | target | failed | wall |\n|---|---|---|---|---|---|", flush=True
            )
            for name in TARGETS:
                for when, checkout in checkouts.items():
                    print(f"| {when} ", end="", flush=True)
                    subprocess.run(**command(checkout, name, url), check=True)


if __name__ == "__main__":
    main()
