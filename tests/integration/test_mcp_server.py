"""`fusion-tool mcp` and the protocol's own client, over standard input and output and over HTTP."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing

import anyio
import httpx
import psycopg
import pytest
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import Response

from fusion_tool import FusionResult
from fusion_tool.api.run_store import default_path, default_place
from fusion_tool.errors import ConfigError
from fusion_tool.servers.mcp.http import create_app, serve_http
from fusion_tool.servers.mcp.server import McpOptions
from fusion_tool.testing import fake_config
from tests.integration.mcp_connections import (
    TOOL,
    ask_by_hand,
    call_by_hand,
    connected,
    over_http,
    over_stdio,
    panel_file,
    program,
    read_result,
    serving,
)
from tests.integration.panel import verdict
from tests.scripted_server import Hang

pytestmark = pytest.mark.loopback

ASKED = {"question": "When was the Alder mill built?"}
TRANSPORTS = [pytest.param(over_stdio, id="stdio"), pytest.param(over_http, id="http")]
WITHIN_SECONDS = 15.0


@pytest.fixture
def file(scripted, tmp_path):
    scripted.otherwise("In 1861.")
    scripted.reply("judge", verdict())
    return panel_file(tmp_path, scripted, "one", "two")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_call_tells_its_progress_can_be_cancelled_and_leaves_its_result(transport, file, scripted):
    lines = []

    async def progress(_step, _total, line):
        lines.append(line)

    async with transport(file) as client:
        answered = await client.call(ASKED, progress_callback=progress)
        result = FusionResult.model_validate(answered["structuredContent"])
        kept = await client.read(f"fusion://results/{result.run_id}")
        assert json.loads(kept["text"]) == answered["structuredContent"]
        assert (result.status, result.answer) == ("ok", "In 1861.")
        assert {"one: asked", "two: asked", "the answers are compared (judge)"} <= set(lines)

        scripted.reply("one", Hang())
        scripted.reply("two", Hang())
        call = asyncio.create_task(client.call(ASKED))
        await scripted.until(lambda: scripted.in_flight == 2, timeout=20)
        await client.cancel(call)
        await scripted.until(lambda: len(scripted.disconnects) == 2)

        scripted.reply("one", "In 1871.")
        scripted.reply("two", "In 1871.")
        again = await client.call(ASKED)
        assert not again["isError"]


async def test_langchains_adapter_loads_and_calls_the_tool(file):
    adapters = pytest.importorskip("langchain_mcp_adapters.client", reason="it knows the first major of mcp alone")
    async with serving(file) as url:
        adapter = adapters.MultiServerMCPClient({"fusion": {"transport": "streamable_http", "url": url}})
        (tool,) = await adapter.get_tools()
        message = await tool.ainvoke({"type": "tool_call", "id": "1", "name": TOOL, "args": ASKED})
        refused = await tool.ainvoke({"type": "tool_call", "id": "2", "name": TOOL, "args": {"question": ""}})
    assert tool.name == TOOL
    assert message.content[0]["text"].startswith("In 1861.")
    assert message.artifact["structured_content"]["status"] == "ok"
    assert (refused.status, refused.content[0]["text"]) == ("error", "question: is empty; ask something")


async def test_a_session_that_is_ended_ends_its_runs(file, scripted):
    scripted.reply("one", Hang())
    scripted.reply("two", Hang())
    async with serving(file) as url:
        async with connected(url) as client:
            call = asyncio.create_task(client.call(ASKED))
            await scripted.until(lambda: scripted.in_flight == 2)
            call.cancel()
        await scripted.until(lambda: len(scripted.disconnects) == 2)


def test_a_client_that_closes_its_end_ends_the_process_and_its_runs(file, scripted):
    scripted.reply("one", Hang())
    with program(f"--config={file}") as running:
        ask_by_hand(running, ASKED["question"])
        scripted.wait_until(lambda: len(scripted.calls("one")) == len(scripted.calls("two")) == 1, timeout=60)
        out, told = running.communicate(timeout=WITHIN_SECONDS)  # closes its standard input
    scripted.wait_until(lambda: [left.model for left in scripted.disconnects] == ["one"])
    assert (running.returncode, told) == (0, "")
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())


def test_a_signal_ends_the_process_while_its_client_still_holds_the_line(file, scripted):
    scripted.reply("one", Hang())
    with program(f"--config={file}") as running:
        ask_by_hand(running, ASKED["question"])
        scripted.wait_until(lambda: len(scripted.calls("one")) == len(scripted.calls("two")) == 1, timeout=60)
        running.send_signal(signal.SIGTERM)
        stopped = read_result(running)
        assert running.wait(timeout=WITHIN_SECONDS) == 128 + signal.SIGTERM
        assert stopped["isError"]
        assert stopped["content"][0]["text"] == "the server is being stopped; once it is back, ask again"
        scripted.wait_until(lambda: [left.model for left in scripted.disconnects] == ["one"])
        assert running.stderr.read() == ""


@pytest.fixture(params=["sqlite", "postgres"])
def homes(request, tmp_path, monkeypatch):
    """The folders of a server, and of one that finds its runs: the same, or another one over the same database."""
    if request.param == "sqlite":
        return (str(tmp_path / "home"),) * 2
    monkeypatch.setenv("FUSION_DATABASE_URL", request.getfixturevalue("database"))
    return str(tmp_path / "home"), str(tmp_path / "elsewhere")


def test_a_killed_servers_run_goes_on_by_its_id_and_nothing_is_paid_twice(scripted, homes, tmp_path, monkeypatch):
    scripted.otherwise("In 1861.")
    scripted.reply("judge", verdict())
    scripted.reply("two", Hang())
    for home in reversed(homes):  # each knows what the models can do
        monkeypatch.setenv("XDG_DATA_HOME", home)
        file = panel_file(tmp_path, scripted, "one", "two")
    options = (f"--config={file}", "--answer-within=1")
    with program(*options) as running:
        call_by_hand(running, ASKED)
        left = read_result(running)
        run_id = left["structuredContent"]["run_id"]
        assert left["structuredContent"]["status"] == "at_work"
        scripted.wait_until(lambda: len(scripted.calls("one")) == len(scripted.calls("two")) == 1, timeout=60)
        # The first seat's answer is kept before the process dies.
        while not is_written("In 1861."):
            time.sleep(0.02)
        running.kill()
    scripted.reply("two", "In 1861.")
    patient = (options[0], "--answer-within=60")
    results = []
    for _ in range(2):
        with program(*patient, XDG_DATA_HOME=homes[1]) as running:
            call_by_hand(running, {"run_id": run_id})
            results.append(read_result(running)["structuredContent"])
    first, second = results
    assert first == second
    assert (first["run_id"], first["answer"]) == (run_id, "In 1861.")
    calls = {name: len(scripted.calls(name)) for name in ("one", "two", "judge", "synthesizer")}
    assert calls == {"one": 1, "two": 2, "judge": 1, "synthesizer": 1}
    assert len(first["usage"]["calls"]) == sum(calls.values())


def is_written(text):
    """Whether a run in the place for runs holds `text`."""
    if (place := default_place()) != default_path():
        with psycopg.connect(place, options="-c search_path=fusion_tool") as connection:
            query = "SELECT 1 FROM checkpoint_writes WHERE position(%s::bytea IN blob) > 0"
            return connection.execute(query, (text.encode(),)).fetchone() is not None
    with closing(sqlite3.connect(place)) as connection:
        return bool(connection.execute("SELECT 1 FROM writes WHERE instr(value, ?)", (text.encode(),)).fetchone())


NOISY = """
import asyncio, os
from fusion_tool.servers.mcp.server import McpOptions
from fusion_tool.servers.mcp.stdio import serve_stdio
from fusion_tool.testing import fake_config

def answer(_):
    print("noise of Python")
    os.system("echo noise of a child")
    os.write(1, b"noise of C\\n")
    return "In 1861."

asyncio.run(serve_stdio(McpOptions(fake_config(answer=answer, strategy="solo"))))
"""


def test_nothing_but_messages_goes_to_standard_output():
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", NOISY], text=True, stdin=pipe, stdout=pipe, stderr=pipe) as running:
        ask_by_hand(running, ASKED["question"])
        lines = []
        while not lines or json.loads(lines[-1]).get("id") != 1:
            lines.append(running.stdout.readline())
        rest, told = running.communicate(timeout=WITHIN_SECONDS)
    assert rest == ""
    assert json.loads(lines[-1])["result"]["structuredContent"]["answer"] == "In 1861."
    assert all(f"noise of {whom}" in told for whom in ("Python", "a child", "C"))


def test_a_signal_ends_the_http_server_and_its_runs(file, scripted):
    scripted.reply("one", Hang())
    with program(f"--config={file}", "--http", "--port=0") as running:
        url = re.search(r"http://\S+", running.stderr.readline())[0]

        async def ask_in_vain():
            async with connected(url) as client:
                asking = asyncio.create_task(client.call(ASKED))
                await scripted.until(lambda: bool(scripted.calls("one")))
                running.send_signal(signal.SIGINT)
                started = time.monotonic()
                await scripted.until(lambda: [left.model for left in scripted.disconnects] == ["one"])
                assert time.monotonic() - started < WITHIN_SECONDS
                asking.cancel()

        asyncio.run(ask_in_vain())
        assert running.wait(timeout=WITHIN_SECONDS) == 130
        assert "Traceback" not in running.stderr.read()


@pytest.mark.parametrize(("answers", "status"), [((), 404), ((500,), 500), ((202, 500), 202)])
async def test_a_message_for_a_session_that_ends_meanwhile_is_answered_once(monkeypatch, answers, status):
    async def end_the_session(_, *connection):
        for answer in answers:
            await Response(status_code=answer)(*connection)
        raise anyio.ClosedResourceError

    monkeypatch.setattr(StreamableHTTPSessionManager, "handle_request", end_the_session)
    app = create_app(McpOptions(fake_config()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        assert (await client.post("/mcp", json={})).status_code == status


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"},
    },
}


@pytest.mark.parametrize(
    ("keys", "headers", "status"),
    [
        ((), {}, 200),
        ((), {"host": "evil.example"}, 421),
        ((), {"origin": "http://evil.example"}, 403),
        ((), {"origin": "http://localhost:3000"}, 200),
        (("right",), {}, 401),
        (("right",), {"authorization": "Bearer wrong"}, 401),
        (("right", "other"), {"authorization": "Bearer other"}, 200),
        (("right",), {"authorization": "Bearer right", "host": "panel.example"}, 200),
    ],
)
async def test_who_may_connect(file, keys, headers, status):
    accept = {"accept": "application/json, text/event-stream"}
    async with serving(file, *keys) as url, httpx.AsyncClient() as client:
        response = await client.post(url, json=INITIALIZE, headers=accept | headers)
    assert response.status_code == status


def test_a_port_that_is_taken_is_named(scripted):
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{scripted.port}: Address already in use"):
        serve_http(McpOptions(fake_config()), "127.0.0.1", scripted.port, (), on_listening=print)
