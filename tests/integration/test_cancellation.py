"""Whoever stops waiting stops the work: requests in flight, tasks, processes, threads and sockets."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from fusion_tool import FusionTool, afuse, astream
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Hang, Reply, ToolCall
from tests.unit.cli.support import fusion

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two", "test/three")
WITHIN_SECONDS = 1.0


@pytest.fixture(autouse=True)
def answers(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, "In 1861.")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's folders."""
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


async def by_afuse(config, file):
    await afuse(QUESTION, config, keep=file)


async def by_astream(config, file):
    async for _ in astream(QUESTION, config, keep=file):
        pass


async def by_tool(config, _):
    await FusionTool(config).ainvoke({"question": QUESTION})


async def by_tool_call(config, _):
    await FusionTool(config).ainvoke({"name": "t", "args": {"question": QUESTION}, "id": "1", "type": "tool_call"})


FACES = [by_afuse, by_astream, by_tool, by_tool_call]
STAGES = [
    pytest.param(SEATS, id="panel"),
    pytest.param((JUDGE,), id="judge"),
    pytest.param((WRITER,), id="synthesis"),
]


@pytest.mark.parametrize("silent", STAGES)
@pytest.mark.parametrize("face", FACES)
async def test_cancelling_the_caller_stops_everything(provider, tmp_path, face, silent):
    for model in silent:
        provider.reply(model, Hang())
    tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
    task = asyncio.create_task(face(panel(*SEATS), tmp_path / "runs.sqlite"))
    await provider.until(lambda: all(provider.calls(model) for model in silent))
    asked = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await provider.until(lambda: {left.model for left in provider.disconnects} == set(silent))
    assert time.monotonic() - asked < WITHIN_SECONDS
    assert provider.in_flight == 0
    assert asyncio.all_tasks() == tasks
    pools = ("asyncio_", "fusion-tool-health")
    new = [one for one in set(threading.enumerate()) - threads if not one.name.startswith(pools)]
    for thread in new:  # a connection's is told to end, and may have a few instructions left
        thread.join(WITHIN_SECONDS)
    assert [thread.name for thread in new if thread.is_alive()] == []


async def test_closing_the_iterator_stops_everything(provider):
    """At once: not when it is collected."""
    provider.otherwise(Hang())
    tasks = asyncio.all_tasks()
    started = 0
    async with aclosing(astream(QUESTION, panel(*SEATS))) as events:
        async for event in events:
            started += event["type"] == "panelist.started"
            if started == len(SEATS):
                break
        await provider.until(lambda: provider.in_flight == 3)
    await provider.until(lambda: len(provider.disconnects) == 3)
    assert asyncio.all_tasks() == tasks


async def test_a_time_limit_of_the_callers_is_a_cancellation(provider):
    provider.otherwise(Hang())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await afuse(QUESTION, panel(*SEATS))
    await provider.until(lambda: len(provider.disconnects) == 3)


async def test_cancelling_one_run_leaves_its_neighbour_alone(provider):
    provider.reply("test/one", Hang())
    doomed = asyncio.create_task(afuse(QUESTION, panel("test/one")))
    await provider.until(lambda: provider.in_flight == 1)
    other = asyncio.create_task(afuse(QUESTION, panel("test/two", "test/three")))
    doomed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await doomed
    assert (await other).status == "ok"


def command(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "fusion_tool", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )


def seats(*models):
    return [f"--model=openrouter:{model}" for model in models]


ROLES = (f"--judge=openrouter:{JUDGE}", f"--synthesizer=openrouter:{WRITER}", "--no-search")
SIGNALS = [pytest.param(signal.SIGINT, 130, id="ctrl-c"), pytest.param(signal.SIGTERM, 143, id="sigterm")]


@pytest.mark.parametrize(
    ("silent", "number", "status"),
    [
        pytest.param(SEATS, signal.SIGINT, 130, id="panel"),
        pytest.param((JUDGE,), signal.SIGTERM, 143, id="judge"),
        pytest.param((WRITER,), signal.SIGINT, 130, id="synthesis"),
    ],
)
@pytest.mark.usefixtures("home")
def test_a_signal_stops_the_command_says_what_was_spent_and_how_to_go_on(provider, silent, number, status):
    for model in SEATS:
        provider.reply(model, Reply("In 1861.", cost=0.25))
    for model in silent:
        provider.reply(model, Hang())
    with command("ask", QUESTION, *seats(*SEATS), *ROLES, "--bash=off") as running:
        provider.wait_until(lambda: all(provider.calls(model) for model in silent), timeout=60)
        asked = time.monotonic()
        running.send_signal(number)
        provider.wait_until(lambda: {left.model for left in provider.disconnects} == set(silent))
        assert time.monotonic() - asked < WITHIN_SECONDS
        out, told = running.communicate(timeout=60)
    assert (running.returncode, out) == (status, "")
    assert "Traceback" not in told
    known = "an unknown sum" if silent == SEATS else "$0.7500 by 3 answered seats"
    assert f"interrupted after spending {known}" in told
    run_id = told.rpartition("resume with: fusion-tool ask --resume ")[2].strip()
    for model in silent:
        provider.reply(model, verdict() if model == JUDGE else "At last.")
    before = provider.counts
    resumed = fusion("ask", "--resume", run_id, "--json")
    assert resumed.exit_code == 0
    result = json.loads(resumed.stdout)
    assert (result["run_id"], len(result["responses"])) == (run_id, 3)
    assert set(provider.counts - before) == set(silent) | ({WRITER} if silent != (WRITER,) else set()) | (
        {JUDGE} if silent == SEATS else set()
    )


def descendants(pid):
    """The processes below `pid`."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    below = [int(one) for thread in threads for one in thread.read_text("utf-8").split()]
    return below + [deeper for one in below for deeper in descendants(one)]


def name(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text("utf-8")
    except OSError:
        return ""


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.usefixtures("home")
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_signal_leaves_no_process_of_the_shell_behind(provider, number, status):
    from fusion_tool.tools.sandbox.shell import probe

    if not (await probe()).works:
        pytest.skip("no sandbox here")
    provider.reply("test/one", Reply(tool_calls=[ToolCall("bash", {"command": "sleep 300"})]), "Done.")
    with command("ask", QUESTION, *seats("test/one"), *ROLES) as running:
        await provider.until(lambda: bool(provider.calls("test/one")), timeout=60)
        below: list[int] = []
        end = time.monotonic() + 30
        while not any(name(one).startswith("sleep") for one in below):
            assert time.monotonic() < end, "the shell did not start"
            await asyncio.sleep(0.02)
            below = descendants(running.pid)
        running.send_signal(number)
        await asyncio.to_thread(running.communicate, timeout=60)
    assert running.returncode == status
    assert not [one for one in below if alive(one)]
