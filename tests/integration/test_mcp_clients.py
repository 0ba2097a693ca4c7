"""The MCP server and the clients of others: the SDKs of Python, second major, and of TypeScript, as programs."""

import asyncio
import json
import re
import signal
import subprocess
import sys

import pytest

from tests.integration.mcp_connections import panel_file, program
from tests.integration.panel import verdict
from tests.integration.real_clients import (
    needs_node_clients,
    needs_python_clients,
    run_node_client,
    run_python_client,
)
from tests.scripted_server import Hang

pytestmark = pytest.mark.loopback

ASKED = json.dumps({"question": "When was the Alder mill built?"})
CLIENTS = [
    pytest.param(run_python_client, "mcp_call.py", marks=needs_python_clients, id="python"),
    pytest.param(run_node_client, "mcp_call.mjs", marks=needs_node_clients, id="typescript"),
]


@pytest.fixture
def file(scripted, tmp_path):
    scripted.otherwise("In 1861.")
    scripted.reply("judge", verdict())
    return panel_file(tmp_path, scripted, "one", "two")


@pytest.mark.parametrize(("run_client", "script"), CLIENTS)
def test_over_http_it_answers_and_standard_error_stays_empty(file, run_client, script):
    with program(f"--config={file}", "--http", "--port=0") as running:
        url = re.search(r"http://\S+", running.stderr.readline())[0]
        called = run_client(script, url, ASKED)
        running.send_signal(signal.SIGTERM)
        rest = running.communicate(timeout=20)[1]
    check_answer(called)
    assert rest == ""


QUIET_STDIO = """
import os, sys
os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), 2)
sys.argv = ["fusion-tool", "mcp", f"--config={sys.argv[2]}"]
from fusion_tool.cli.main import run
run()
"""


@pytest.mark.parametrize(("run_client", "script"), CLIENTS)
def test_over_standard_input_and_output_it_answers_and_standard_error_stays_empty(file, run_client, script, tmp_path):
    told = tmp_path / "stderr"
    called = run_client(script, sys.executable, ASKED, "-c", QUIET_STDIO, str(told), str(file))
    check_answer(called)
    assert told.read_text() == ""


def check_answer(called):
    assert called["tools"] == ["fusion_research"]
    assert (called["isError"], called["text"].startswith("In 1861.")) == (False, True), called["text"]
    steps, totals, lines = zip(*called["lines"], strict=True)
    assert list(steps) == sorted(set(steps))
    assert set(totals) == {None}
    assert "one: asked" in lines


@pytest.mark.parametrize(("run_client", "script"), CLIENTS)
def test_a_client_sees_why_its_call_ends_when_the_server_is_stopped(file, scripted, run_client, script):
    scripted.reply("one", Hang())
    scripted.reply("two", Hang())

    async def ask_in_vain(url, running):
        call = asyncio.create_task(asyncio.to_thread(run_client, script, url, ASKED))
        await scripted.until(lambda: len(scripted.requests) == 2, timeout=30)
        running.send_signal(signal.SIGTERM)
        return await call

    with program(f"--config={file}", "--http", "--port=0") as running:
        url = re.search(r"http://\S+", running.stderr.readline())[0]
        called = asyncio.run(ask_in_vain(url, running))
        rest = running.communicate(timeout=20)[1]
    assert called["isError"]
    assert "the server is being stopped; once it is back, ask again" in called["text"]
    assert rest == ""


def test_messages_that_no_server_knows_leave_no_trace_on_standard_error(file):
    messages = [
        {"id": 0, "method": "server/discover", "params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "2"}}},
        {"id": 1, "method": "initialize", "params": INITIALIZE},
        {"method": "notifications/initialized"},
        {"method": "notifications/of/a/later/version", "params": {}},
        {"id": 2, "method": "tasks/whatever", "params": {"a": 1}},
        {"id": 3, "method": "tools/call", "params": {"name": 7}},
        {"id": 4, "method": "tools/list"},
    ]
    lines = [json.dumps({"jsonrpc": "2.0", **message}) for message in messages]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [sys.executable, "-m", "fusion_tool", "mcp", f"--config={file}"]
    with subprocess.Popen(command, text=True, **pipes) as running:
        running.stdin.write("".join(f"{line}\n" for line in lines))
        running.stdin.flush()
        answers = {}
        while 4 not in answers:
            answer = json.loads(running.stdout.readline())
            answers[answer.get("id")] = answer
        told = running.communicate(timeout=20)[1]
    assert {number for number, answer in answers.items() if "error" in answer} >= {0, 2, 3}
    assert told == ""


INITIALIZE = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "0"}}
