"""`langgraph dev` as a subprocess, and one run of it as a client sees it."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk.client import LangGraphClient

from fusion_tool import FusionResult

ROOT = Path(__file__).parents[2]


@contextmanager
def dev_server(folder: Path, port: int, **environment: str) -> Iterator[str]:
    """The address of a development server of this project; its own files, and the operator's, are in `folder`."""
    copy_graphs(folder)
    options = ("--no-browser", "--no-reload", "--port", str(port))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "langgraph_cli", "dev", *options],
            cwd=folder,
            env=offline(folder) | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(process, f"http://127.0.0.1:{port}/ok", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def copy_graphs(folder: Path) -> None:
    """Put what a server of the graphs reads into its working folder."""
    shutil.copytree(ROOT / "graphs", folder / "graphs", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "langgraph.json").symlink_to(ROOT / "langgraph.json")


def free_ports(count: int) -> list[int]:
    """Ports below those that the system hands out by itself: tests beside this one ask it for many."""
    free: list[int] = []
    for port in random.Random(os.getpid()).sample(range(20_000, 30_000), 100):  # noqa: S311 - it protects nothing
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            free.append(port)
        if len(free) == count:
            return free
    raise OSError("no free ports between 20000 and 30000")


def offline(home: Path) -> dict[str, str]:
    """Neither a key nor a way out of this machine: everything but loopback goes to a proxy that is not there."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH") if name in os.environ}
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGGRAPH_NO_VERSION_CHECK": "true", "LANGSMITH_TRACING": "false"}
    return {**kept, **nowhere, **quiet, "no_proxy": "127.0.0.1", "HOME": str(home)}


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, attempts: int = 600) -> None:
    """Wait until a server answers; its log is the test's failure where it does not."""
    for _ in range(attempts):
        with suppress(httpx.TransportError):
            if httpx.get(url, trust_env=False).is_success:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.1)  # the pause between two attempts, cut short where the server has died
            break
    pytest.fail(f"the server did not start:\n{log.read_text()[-4000:]}")


@dataclass
class Streamed:
    """What one run sent: its progress, the nodes in the order they finished, its last state or its error."""

    events: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @property
    def result(self) -> FusionResult:
        assert self.error is None, self.error
        return FusionResult.model_validate(self.state["result"])

    @property
    def record(self) -> dict[str, Any]:
        assert self.error is None, self.error
        return self.state["record"]

    @property
    def complaint(self) -> str:
        assert self.error is not None, "the run succeeded"
        return f"{self.error['error']}: {self.error['message']}"


async def run(
    client: LangGraphClient,
    graph: str,
    given: Any,
    context: dict[str, Any] | None = None,
    thread: str | None = None,
    **options: Any,
) -> Streamed:
    """Run `graph` as an assistant whose context is `context`."""
    assistant = await client.assistants.create(graph, context=context)
    streamed = Streamed()
    modes = ["custom", "updates", "values"]
    id_ = assistant["assistant_id"]
    async for part in client.runs.stream(thread, id_, input=given, stream_mode=modes, **options):
        match part.event:
            case "custom":
                streamed.events.append(part.data)
            case "updates":
                streamed.nodes += part.data
            case "values":
                streamed.state = part.data
            case "error":
                streamed.error = part.data
    return streamed
