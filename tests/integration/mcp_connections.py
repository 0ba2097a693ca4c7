"""The MCP server over both transports, each as a `with` block that gives the protocol's own client."""

import asyncio
import importlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from fusion_tool.config.loading import resolve_config
from fusion_tool.servers.keys import Caller
from fusion_tool.servers.mcp.http import PATH, create_app
from fusion_tool.servers.mcp.server import McpOptions
from tests.integration.callers import callers as callers_with
from tests.integration.trials import remember_trials
from tests.mcp_client import IS_FIRST_MAJOR, TOOL, McpClient
from tests.scripted_server import ScriptedServer

COMMAND = ("-m", "fusion_tool", "mcp")


def panel_file(folder: Path, server: ScriptedServer, *models: str) -> Path:
    """A configuration of `models`, judged and written by two more, none of which needs a key."""
    seats = ", ".join(f'{{model = "{model}", base_url = "{server.url}"}}' for model in models)
    roles = "\n".join(f'{role} = {{model = "{role}", base_url = "{server.url}"}}' for role in ("judge", "synthesizer"))
    file = folder / "fusion.toml"
    remember_trials(server.url, *models, "judge", "synthesizer")
    file.write_text(f'panel = [{seats}]\n{roles}\nsearch = false\nbash = "off"\n', "utf-8")
    return file


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


@asynccontextmanager
async def over_stdio(file: Path) -> AsyncIterator[McpClient]:
    """A client that starts the server as a program."""
    program = StdioServerParameters(command=sys.executable, args=[*COMMAND, f"--config={file}"], env=environment())
    async with stdio_client(program) as (incoming, outgoing), ClientSession(incoming, outgoing) as client:
        await client.initialize()
        yield McpClient(client)


@asynccontextmanager
async def over_http(file: Path) -> AsyncIterator[McpClient]:
    """A client that connects to it."""
    async with serving(file) as url, connected(url) as client:
        yield client


@asynccontextmanager
async def serving(file: Path, *keys: str, callers: Sequence[Caller] = (), **options: Any) -> AsyncIterator[str]:
    """The server in this process; the URL that clients take."""
    app = create_app(McpOptions(resolve_config(file), **options), callers or callers_with(*keys))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = asyncio.create_task(server._serve([listener]))  # without uvicorn's handlers of signals
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}{PATH}"
        finally:
            server.should_exit = server.force_exit = True
            await running


@asynccontextmanager
async def connected(url: str, key: str = "") -> AsyncIterator[McpClient]:
    """A client of the server at `url`, which ends its session when it is done."""
    async with (
        _http_client(key) as http,
        streamable_http_client(url, http_client=http) as (incoming, outgoing, *_),
        ClientSession(incoming, outgoing) as client,
    ):
        await client.initialize()
        yield McpClient(client)


def _http_client(key: str) -> Any:
    """The HTTP client of the SDK's major."""
    http: Any = importlib.import_module("httpx" if IS_FIRST_MAJOR else "httpx2")
    return http.AsyncClient(headers={"authorization": f"Bearer {key}"} if key else {}, timeout=60)


@contextmanager
def program(*arguments: str, **variables: str) -> "Iterator[subprocess.Popen[str]]":
    """The command, with its three streams; it does not outlive the block."""
    pipes: Any = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(
        [sys.executable, *COMMAND, *arguments], text=True, env=environment(**variables), **pipes
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def ask_by_hand(running: "subprocess.Popen[str]", question: str) -> None:
    """What a client sends that asks one question; it awaits nothing."""
    call_by_hand(running, {"question": question})


def call_by_hand(running: "subprocess.Popen[str]", arguments: dict[str, Any]) -> None:
    """What a client sends that calls the tool once, as its request 1; it awaits nothing."""
    client = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
    call = {"name": TOOL, "arguments": arguments, "_meta": {"progressToken": 1}}
    assert running.stdin
    for message in (
        {"id": 0, "method": "initialize", "params": client},
        {"method": "notifications/initialized"},
        {"id": 1, "method": "tools/call", "params": call},
    ):
        running.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    running.stdin.flush()


def read_result(running: "subprocess.Popen[str]") -> dict[str, Any]:
    """The result of that call, once it is there."""
    assert running.stdout
    for line in running.stdout:
        if (message := json.loads(line)).get("id") == 1:
            return message["result"]
    raise AssertionError("the server has ended without an answer")
