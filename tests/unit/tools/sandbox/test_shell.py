"""One command in a sandbox, as its callers see it."""

import asyncio
import itertools
import os
import select
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fusion_tool.errors import ConfigError
from fusion_tool.tools.sandbox import bubblewrap
from fusion_tool.tools.sandbox.bubblewrap import ShellLimits
from fusion_tool.tools.sandbox.shell import run

pytestmark = pytest.mark.usefixtures("sandbox")

_marks = itertools.count(80_000_000 + os.getpid())


@pytest.fixture
def mark():
    """A number of seconds that no other process on this machine sleeps for."""
    return str(next(_marks))


def running(mark):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    ("command", "exit_code", "output"),
    [
        ("true", 0, ""),
        ("exit 3", 3, ""),
        ("echo out; echo err >&2; echo out", 0, "out\nerr\nout\n"),
        ("pwd; echo $HOME $LANG; id -u", 0, "/work\n/work C.UTF-8\n1000\n"),
        ("whoami; hostname 2>/dev/null || uname -n", 0, "user\nsandbox\n"),
        ("kill -TERM $$", 143, ""),
        ("printf '\\xff\\xfe ok'", 0, "\ufffd\ufffd ok"),
        ("seq 10 | awk '{ s += $1 } END { print s }' | grep 55", 0, "55\n"),
        ("echo 'a $b \"c\"'", 0, 'a $b "c"\n'),
        ("echo x > /tmp/a && cat /tmp/a && echo y > b && cat b", 0, "x\ny\n"),
        ("cat; echo stdin is empty", 0, "stdin is empty\n"),
        ("-c true", 127, None),
        ("--version", 127, None),
        ("", 0, ""),
        ("echo 'unclosed", 2, None),
        ("echo \ud800", 0, "?\n"),
    ],
)
async def test_a_command_and_its_result(command, exit_code, output):
    result = await run(command)
    assert result.exit_code == exit_code
    assert result.output == (result.output if output is None else output)
    assert (result.truncated, result.timed_out, result.out_of_memory) == (False, False, False)
    assert result.seconds < ShellLimits().seconds


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
def test_any_text_reaches_the_command_unchanged(text):
    quoted = "'" + text.replace("'", "'\\''") + "'"
    assert asyncio.run(run(f"printf %s {quoted}")).output == text


@pytest.mark.parametrize("command", ["echo \0", "echo " + "x" * 100_000], ids=["nul", "long"])
async def test_a_command_that_no_shell_can_take_is_refused(command):
    with pytest.raises(ConfigError, match="command: at most"):
        await run(command)


async def test_each_command_has_a_sandbox_of_its_own():
    await run("echo x > /work/kept")
    assert (await run("cat /work/kept")).exit_code == 1


async def test_output_up_to_the_limit_is_no_truncation():
    limits = ShellLimits(output_bytes=100)
    whole, more = await run("printf %0100d 0", limits=limits), await run("printf %0101d 0; sleep 60", limits=limits)
    assert (whole.exit_code, len(whole.output), whole.truncated) == (0, 100, False)
    assert (more.exit_code, len(more.output), more.truncated) == (None, 100, True)


async def test_endless_output_costs_the_parent_no_memory():
    await run("true")
    tracemalloc.start()
    await run("cat /dev/zero")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1024 * 1024


async def test_files_are_handed_in_read_only(tmp_path):
    path = tmp_path / "secret.csv"
    path.write_text("from disk")
    path.chmod(0o600)
    files = {"a.txt": b"from memory", "sub/ü b.csv": path}
    result = await run("cat /input/a.txt '/input/sub/ü b.csv'; touch /input/new; echo > /input/a.txt", files=files)
    assert result.output.startswith("from memoryfrom disk")
    assert result.output.count("Read-only file system") == 2
    assert path.read_text() == "from disk"


@pytest.mark.parametrize(
    "command",
    [
        "setsid sleep {mark} >/dev/null 2>&1 & echo started",
        "(setsid sleep {mark} &) ; (nohup sleep {mark} &) ; echo started",
        "trap '' HUP TERM INT; sleep {mark} & disown; echo started",
        "for i in 1 2 3 4 5 6 7 8; do sleep {mark} & done; echo started",
    ],
)
async def test_nothing_is_left_running(command, mark):
    result = await run(command.format(mark=mark))
    assert (result.exit_code, result.output) == (0, "started\n")
    assert running(mark) == []


async def test_time_over_leaves_nothing_running(mark):
    result = await run(f"sleep {mark} & sleep {mark}", limits=ShellLimits(seconds=0.2))
    assert result.timed_out
    assert running(mark) == []


@pytest.mark.parametrize("after", [0, 0.001, 0.003, 0.005, 0.008, 0.012, 0.02, 0.1])
async def test_cancelled_at_any_moment_leaves_nothing(after, mark):
    await run("true")
    before = descriptors()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(after):
            await run(f"setsid sleep {mark} & sleep {mark}")
    assert running(mark) == []
    assert descriptors() == before


async def test_cancelling_is_seen_as_cancelling(mark):
    task = asyncio.create_task(run(f"sleep {mark}"))
    await asyncio.wait([task], timeout=0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running(mark) == []


async def test_commands_run_side_by_side():
    started = time.monotonic()
    results = await asyncio.gather(*(run(f"echo {n}; sleep 0.5") for n in range(6)))
    assert [result.output for result in results] == [f"{n}\n" for n in range(6)]
    assert time.monotonic() - started < 6 * 0.5


async def test_no_descriptor_stays_open():
    await run("true")
    before = descriptors()
    for command in ("true", "exit 1", "yes", "sleep 1 &"):
        await run(command, files={"a": b"x"})
    with pytest.raises(ConfigError):
        await run("true", files={"../a": b"x"})
    assert descriptors() == before


def test_it_works_in_any_event_loop():
    outputs = []
    thread = threading.Thread(target=lambda: outputs.append(asyncio.run(run("echo thread")).output))
    thread.start()
    thread.join()
    assert [*outputs, asyncio.run(run("echo main")).output] == ["thread\n", "main\n"]


_PARENT = """
import asyncio
from fusion_tool.tools.sandbox.bubblewrap import ShellLimits; from fusion_tool.tools.sandbox.shell import probe
from fusion_tool.tools.sandbox.process import readable
from fusion_tool.tools.sandbox.launch import start_sandbox

async def main():
    async with start_sandbox((await probe()).bwrap, "echo up; sleep {mark}", {{}}, ShellLimits()) as box:
        await readable(box.output)
        print(box.init, flush=True)
        await box.process.wait()

asyncio.run(main())
"""


def test_the_command_dies_with_its_parent(mark):
    command = [sys.executable, "-c", _PARENT.format(mark=mark)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        first_process = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
    ended = select.select([first_process], [], [], 10)[0]
    os.close(first_process)
    assert ended
    assert running(mark) == []


async def test_without_bash_sh_has_the_same_limits(monkeypatch):
    await run("true")
    with_bash = await run("echo $0; cat /proc/self/limits")
    monkeypatch.setattr(bubblewrap, "_shell", lambda: "/bin/sh")
    with_sh = await run("echo $0; cat /proc/self/limits")
    assert with_bash.output.splitlines()[0].endswith("bash")
    assert with_sh.output.splitlines()[0] == "/bin/sh"
    assert with_sh.output.splitlines()[1:] == with_bash.output.splitlines()[1:]
