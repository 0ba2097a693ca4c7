"""The command as a process: streams apart, signals, a reader that leaves, and what its start costs."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.scripted_server import Cut, Gate, Hang, Reply, Request, ScriptedServer
from tests.unit.cli.support import ANALYSIS, PANEL, QUESTION, SENTENCE, STAGES, cite_source, process, titan

_BARE = ("--no-search", "--bash", "off")


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_a_pipe_gets_the_answer_and_nothing_else() -> None:
    with process("ask", QUESTION, *PANEL, *STAGES, *_BARE) as running:
        out, told = running.communicate(timeout=60)
    assert running.returncode == 0
    assert out == f"{SENTENCE}.\n\nSources: the answer cites none.\n"
    assert "Bill" in told
    assert "\x1b" not in out + told


@pytest.mark.loopback
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_on_a_terminal_the_answer_appears_as_it_is_written_and_one_that_breaks_off_is_marked(
    openrouter: ScriptedServer, tmp_path: Path
) -> None:
    """The second writer waits until the first one's words are on the screen; its citations are numbered anew."""
    gate = Gate()
    openrouter.reply("v/writer", lambda request: Cut(replace(cite_source(request), chunk_size=9), after=5))

    def judge_then_writer(request: Request) -> Reply:
        is_judging = "JSON" in request.prompt and not openrouter.calls("v/writer")
        return Reply(json.dumps(ANALYSIS)) if is_judging else replace(cite_source(request), gate=gate)

    openrouter.reply("v/judge", judge_then_writer)
    terminal, screen = os.openpty()
    documents = ("--docs", str(titan(tmp_path / "library")), "--no-search", "--bash", "off")
    with process("ask", QUESTION, *PANEL, *STAGES, *documents, "--quiet", stdout=screen) as running:
        os.close(screen)
        shown = b""
        while b"Titan" not in shown:
            shown += os.read(terminal, 1000)
        gate.open()
        with suppress(OSError):  # what Linux says at the end
            while piece := os.read(terminal, 1000):
                shown += piece
        assert running.wait(timeout=60) == 0
    os.close(terminal)
    first, _, rest = shown.decode().replace("\r\n", "\n").partition("\n\n[that answer broke off")
    assert SENTENCE.startswith(first)
    assert rest.startswith(f"; this one replaces it]\n\n{SENTENCE} [1].\n\nSources\n[1] ")
    assert rest.count(f"{SENTENCE} [1].\n\n") == 1


@pytest.mark.loopback
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("is_quiet", [False, True])
def test_a_signal_cancels_the_run_and_says_what_was_spent(
    openrouter: ScriptedServer, number: signal.Signals, status: int, is_quiet: bool
) -> None:
    openrouter.reply("v/a", Reply("Titan.", cost=0.25))
    openrouter.reply("v/b", Hang())
    with process("ask", QUESTION, *PANEL, *STAGES, *_BARE, "--events", *(["-q"] * is_quiet)) as running:
        assert running.stdout is not None
        assert any("panelist.answered" in line for line in running.stdout)  # read no further: b hangs
        openrouter.wait_until(lambda: bool(openrouter.calls("v/b")), timeout=30)
        running.send_signal(number)
        rest = running.communicate(timeout=60)[1]
    assert running.returncode == status
    assert "\nresume with: fusion-tool ask --resume " in rest
    assert "interrupted after spending $0.2500 by 1 answered seats" in rest
    assert "Traceback" not in rest
    openrouter.wait_until(lambda: [gone.model for gone in openrouter.disconnects] == ["v/b"], timeout=30)


@pytest.mark.loopback
def test_a_reader_that_leaves_ends_the_run_quietly(openrouter: ScriptedServer) -> None:
    gate = Gate()
    openrouter.reply("v/a", Reply("Titan.", gate=gate))
    with process("ask", QUESTION, "--model", "openrouter:v/a", *_BARE, "--events", "--quiet") as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.readline()
        running.stdout.close()
        gate.open()
        assert running.wait(timeout=60) != 0
        assert running.stderr.read() == ""


_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has a device that is full")


@_FULL
@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
@pytest.mark.parametrize("shape", [(), ("--json",), ("--events",)])
def test_an_answer_that_cannot_be_printed_is_not_lost(tmp_path: Path, shape: tuple[str, ...]) -> None:
    file = tmp_path / "answer.md"
    with (
        Path("/dev/full").open("w", encoding="utf-8") as full,
        process("ask", QUESTION, *PANEL, *STAGES, *_BARE, *shape, "-q", "-o", str(file), stdout=full) as running,
    ):
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 1
    assert "error: standard output: No space left on device\n" in told
    assert not {"Traceback", "Exception ignored", "Errno"} & set(told.split())
    if shape != ("--events",):  # which ends with its first line
        assert SENTENCE in file.read_text("utf-8")
        assert "'fusion-tool runs show " in told


@_FULL
@pytest.mark.parametrize("unbuffered", ["", "1"])  # as containers set it
@pytest.mark.parametrize("command", ["presets", "--version"])
def test_every_command_says_that_its_output_is_lost(
    command: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("w", encoding="utf-8") as full, process(*command.split(), stdout=full) as running:
        told = running.communicate(timeout=60)[1]
    assert (running.returncode, told) == (1, "error: standard output: No space left on device\n")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    command = f'"{sys.executable}" -m fusion_tool --version {closed}'
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["--help"], ["ask", "--help"], ["model", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom fusion_tool.cli.main import app\n"
        f"try: app({arguments!r}, prog_name='fusion-tool')\n"
        "except SystemExit: pass\n"
        "heavy = {'langchain', 'langchain_core', 'langgraph', 'openai', 'httpx', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
