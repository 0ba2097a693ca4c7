"""The OpenAI-compatible server on a loopback port, as a `with` block, and OpenAI's own clients for it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, OpenAI

from fusion_tool import FusionConfig
from fusion_tool.servers.app import Options, create_app
from tests.scripted_server.loopback import Loopback

_clients: list[OpenAI] = []
"""Closed with their server: left to be collected, their sockets may go first, with a warning in another test."""


@contextmanager
def served(config: FusionConfig, **options: Any) -> Iterator[str]:
    """The base URL of a running server."""
    loopback = Loopback(create_app(Options(config, **options))).start()
    try:
        yield f"{loopback.root}/v1"
    finally:
        _close_clients()
        loopback.stop()


def client(url: str, key: str = "unused", **options: Any) -> OpenAI:
    _clients.append(OpenAI(base_url=url, api_key=key, **({"max_retries": 0} | options)))
    return _clients[-1]


def _close_clients() -> None:
    while _clients:
        _clients.pop().close()


def async_client(url: str, key: str = "unused", **options: Any) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=url, api_key=key, **({"max_retries": 0} | options))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@contextmanager
def command(
    config: Path, *options: str, files: tuple[int, int] | None = None, **environment: str
) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """`fusion-tool serve` as a process, with soft and hard limit of open files, and its URL."""
    code = "import typer; from fusion_tool.cli.commands.serve import serve; typer.run(serve)"
    if files is not None:
        code = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, {files}); {code}"
    with subprocess.Popen(
        [sys.executable, "-c", code, "--config", str(config), "--port", "0", *options],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            assert process.stderr
            said = ""
            while not (found := re.search(r"listening on (http\S+/v1)", said)):
                line = process.stderr.readline()
                assert line, said
                said += line
            yield process, found[1]
        finally:
            _close_clients()
            if process.poll() is None:
                process.terminate()
            process.wait(timeout=30)
