"""The scripted provider that the benchmarks talk to: a process of its own, so that its CPU is not counted.

Every model answers after a latency that is known, so that what a run adds to it can be told.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SEATS = {"seat-a": 0.1, "seat-b": 0.2, "seat-c": 0.3}
JUDGE, WRITER, RESEARCHER = "judge", "writer", "researcher"
TOOL_SEATS = {f"{name}-with-tools": latency for name, latency in SEATS.items()}
LATENCY = {**SEATS, **TOOL_SEATS, JUDGE: 0.15, WRITER: 0.2, RESEARCHER: 0.0}
"""Seconds until a model answers; one that calls tools first takes an equal part of them for each of its turns."""
CRITICAL_PATH = max(SEATS.values()) + LATENCY[JUDGE] + LATENCY[WRITER]
TOOL_TURNS = 3

ANSWER = "\n\n".join(
    f"Point {n}: the survey of that year counted {n * 317} sites in the region, two thirds of them on the coast. "
    "Most were small, and the larger ones lay within a day's walk of a harbour; later work has moved some dates, "
    "not the pattern. What remains open is how far the inland routes were in use before the roads were built."
    for n in range(1, 5)
)
"""About 1,200 characters; 60 deltas where it is streamed."""
COMPARISON = {
    "consensus": ["Most sites lay on the coast.", "The larger ones lay near a harbour."],
    "contradictions": [],
    "partial_coverage": [],
    "unique_insights": [],
    "blind_spots": ["Nobody says how the sites were dated."],
}


@contextmanager
def provider() -> Iterator[str]:
    """The base URL of a running provider."""
    command = [sys.executable, "-m", "benchmarks.provider"]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own file
        assert process.stdout  # noqa: S101 - it is a pipe
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def script(server: Any) -> None:
    """Have a scripted server answer as the benchmarks' models do, each after its latency."""
    from tests.scripted_server import Reply, Request, ToolCall

    def research(request: Request) -> Reply:
        turns = sum(message["role"] == "tool" for message in request.body["messages"])
        delay = LATENCY[request.model] / (TOOL_TURNS + 1)
        if turns == TOOL_TURNS:
            return Reply(ANSWER, delay=delay)
        return Reply(tool_calls=[ToolCall("lookup", {"word": f"harbour {turns}"})], delay=delay)

    for model, latency in LATENCY.items():
        server.reply(model, Reply(json.dumps(COMPARISON) if model == JUDGE else ANSWER, delay=latency))
    for model in (RESEARCHER, *TOOL_SEATS):
        server.reply(model, research)


def serve() -> None:
    from tests.scripted_server import ScriptedServer

    with ScriptedServer() as server:
        script(server)
        print(server.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    serve()
