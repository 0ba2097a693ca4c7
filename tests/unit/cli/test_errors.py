"""A question that is not answered: the exit status, one line, never a traceback."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fusion_tool.cli.errors import InterruptError, exit_status, failed_run_json
from fusion_tool.errors import (
    BlockedAddress,
    BudgetExceeded,
    ConfigError,
    PanelFailed,
    RecursionRefused,
    SandboxUnavailable,
)
from tests.scripted_server import Reply, ScriptedServer, faults
from tests.unit.cli.support import PANEL, QUESTION, STAGES, ask, fusion

_KEYED = ("openrouter:v/a", "OPENROUTER_API_KEY")


def _file(text: str) -> Callable[[Path], list[str]]:
    def written(folder: Path) -> list[str]:
        (folder / "f.toml").write_text(text, "utf-8")
        return [QUESTION, "--config", str(folder / "f.toml")]

    return written


def _said(*arguments: str) -> Callable[[Path], list[str]]:
    return lambda _folder: list(arguments)


_PANEL_OF_ONE = '[[panel]]\nmodel = "ollama:m"\n'
_BAD = {
    "no key": (_said(QUESTION), "OPENROUTER_API_KEY", "--preset local"),
    "a preset without its key": (
        _said(QUESTION, "--preset", "fast"),
        "set OPENROUTER_API_KEY, or a vendor's key such as OPENAI_API_KEY, or choose the preset 'local'",
    ),
    "another provider's key": (_said(QUESTION, "--model", "openai:gpt-5.5"), "--model: ", "OPENAI_API_KEY"),
    "an empty question": (_said("  ", "--model", "ollama:m"), "question: is empty"),
    "a long question": (_said("x" * 100_001, "--model", "ollama:m"), "question: has 100,001 characters"),
    "an unknown preset": (_said(QUESTION, "--preset", "cheap"), "--preset: no preset 'cheap'", "budget"),
    "an unknown provider": (_said(QUESTION, "--model", "acme:m"), "--model: no provider 'acme'", "openrouter"),
    "no provider": (_said(QUESTION, "--model", "gpt-5.5"), "--model: 'gpt-5.5' names no provider"),
    "no model": (_said(QUESTION, "--model", "ollama:"), "--model: 'ollama:' names no model"),
    "an unknown judge": (_said(QUESTION, "--model", "ollama:m", "--judge", "x:y"), "--judge: no provider 'x'"),
    "an empty judge": (_said(QUESTION, "--model", "ollama:m", "--judge", ""), "--judge: a model is"),
    "an unknown local model": (_said(QUESTION, "--model", "local:m"), "--model: no local model 'm'"),
    "nine seats": (_said(QUESTION, *("--model", "ollama:m") * 9), "--model: ", "8"),
    "no seats": (_file("panel = []"), "panel: ", "1"),
    "no panel at all": (_file("bash = 'off'"), "no model provider is configured"),
    "a missing file": (_said(QUESTION, "--config", "/nowhere/f.toml"), "--config: cannot read", "No such file"),
    "no TOML": (_file("panel = ["), "--config: ", "not valid TOML"),
    "an unknown field": (_file(_PANEL_OF_ONE + "quorums = 2"), "panel.0.quorums: no such setting", "f.toml"),
    "an unknown nested field": (_file("[limits]\nminutes = 2\n" + _PANEL_OF_ONE), "limits.minutes: no such"),
    "a mistyped field": (_file("max_tool_calls = 'four'\n" + _PANEL_OF_ONE), "max_tool_calls: ", "whole number"),
    "an unknown preset in a file": (_file("preset = 'cheap'"), "no preset 'cheap'", "f.toml"),
    "no folder": (_said(QUESTION, "--model", "ollama:m", "--docs", "/nowhere"), "--docs: ", "/nowhere"),
    "no document": (
        _said(QUESTION, "--model", "ollama:m", "--docs", __file__),
        "--docs: ",
        "is of a kind that is not read",
    ),
    "a search provider": (_said(QUESTION, "--model", "ollama:m", "--search", "bing"), "--search: ", "duckduckgo"),
    "its key": (_said(QUESTION, "--model", "ollama:m", "--search", "brave"), "--search: ", "BRAVE_API_KEY"),
    "search or none": (_said(QUESTION, "--search", "brave", "--no-search"), "--search and --no-search"),
    "one machine format": (_said(QUESTION, "--json", "--events"), "--json and --events"),
    "no time": (_said(QUESTION, "--model", "ollama:m", "--max-seconds", "0"), "--max-seconds: ", "more than 0"),
    "no number": (_said(QUESTION, "--max-seconds", "soon"), "--max-seconds", "expected a number", "ask --help"),
    "a quorum of nobody": (_said(QUESTION, "--model", "ollama:m", "--quorum", "2"), "--quorum: 2 of 1 seats"),
    "negative grace": (_said(QUESTION, "--model", "ollama:m", "--grace", "-1"), "--grace: "),
    "an unknown strategy": (_said(QUESTION, "--strategy", "duel"), "--strategy", "duel", "ask --help"),
    "an unknown option": (_said(QUESTION, "--presets", "x"), "--presets", "ask --help"),
    "no question": (_said(), "QUESTION", "ask --help"),
}


@pytest.mark.parametrize("case", _BAD)
def test_bad_input_is_one_line_and_status_2(case: str, tmp_path: Path) -> None:
    arguments, *expected = _BAD[case]
    done = fusion("ask", *arguments(tmp_path))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    for part in expected:
        assert part in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--also", "mime"), "--also: no preset 'mime'"),
        (("serve", "--preset", "mime"), "--preset: no preset 'mime'"),
        (("mcp", "--preset", "mime"), "--preset: no preset 'mime'"),
        (("keys", "set", "OPENAI_KEY"), "no key has this name (did you mean 'OPENAI_API_KEY'?)"),
        (("keys", "set", "LANGSMITH_API_KEY"), "no key has this name; there are OPENROUTER_API_KEY"),
    ],
)
def test_other_commands_name_the_flag_and_the_nearest_name(arguments: tuple[str, ...], said: str) -> None:
    done = fusion(*arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert said in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir(mode=0)
    done = fusion("ask", QUESTION, "--model", "ollama:m", "--docs", str(folder))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "--docs: " in done.stderr


def test_an_endless_standard_input_is_not_read_to_its_end() -> None:
    done = fusion("ask", "-", "--model", "ollama:m", stdin=b"x" * ((1 << 20) + 2))
    assert done.exit_code == 2
    assert "standard input holds more than 100,000 characters" in done.stderr


def test_json_of_wrong_configuration() -> None:
    done = fusion("ask", QUESTION, "--json")
    failed = json.loads(done.stdout)
    assert done.exit_code == 2
    assert failed.keys() == {"status", "error", "failed_models"}
    assert (failed["status"], failed["failed_models"]) == ("failed", [])
    assert "OPENROUTER_API_KEY" in failed["error"]


@pytest.mark.loopback
def test_no_usable_answer_is_status_3_with_every_reason(openrouter: ScriptedServer) -> None:
    openrouter.reply("v/a", faults.unauthorized())
    openrouter.reply("v/b", Reply("", cost=0.25))
    done = ask(QUESTION, *PANEL, *STAGES, "--json")
    failed = json.loads(done.stdout)
    assert done.exit_code == 3
    assert failed["status"] == "failed"
    assert {row["seat"]: row["reason"] for row in failed["failed_models"]} == {"a": "auth", "b": "empty"}
    assert failed["usage"]["cost_usd"] > 0
    assert "error: no usable answer from the panel (a auth: " in done.stderr
    spent, run = done.stderr.splitlines()[-2:]
    assert spent.startswith("failed after spending $")
    assert run.removeprefix("run ")[:8] in fusion("runs").stdout


@pytest.mark.loopback
def test_no_error_text_stands_on_stdout_as_an_answer(openrouter: ScriptedServer) -> None:
    openrouter.otherwise(faults.unauthorized())
    done = ask(QUESTION, "--model", "openrouter:v/none", "--quiet")
    assert (done.exit_code, done.stdout) == (3, "")
    assert [line.partition(" ")[0] for line in done.stderr.splitlines()] == ["error:", "failed", "run"]


@pytest.mark.parametrize("arguments", [("--debug", "ask", QUESTION), ("ask", QUESTION, "--debug")])
def test_debug_shows_the_traceback(arguments: tuple[str, ...]) -> None:
    done = fusion(*arguments)
    assert done.exit_code == 2
    assert ("Traceback" in done.stderr) == (arguments[-1] == "--debug")
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_an_unexpected_error_is_one_line_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_file: object) -> tuple[str, ...]:
        raise RuntimeError("first\nsecond sk-or-v1-0123456789abcdef")

    monkeypatch.setattr("fusion_tool.config.presets.preset_names", broken)
    done = fusion("presets")
    assert done.exit_code == 1
    assert done.stderr == "error: unexpected RuntimeError: first second [secret]; --debug shows where\n"
    assert "Traceback" in fusion("--debug", "presets").stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("wrong"), 2),
        (SandboxUnavailable("none"), 2),
        (RecursionRefused("inside"), 2),
        (BlockedAddress("private"), 2),
        (PanelFailed([]), 3),
        (BudgetExceeded("usd", 2.0, 1.0), 4),
        (InterruptError(2), 130),
        (InterruptError(15), 143),
        (KeyboardInterrupt(), 130),
        (RuntimeError("unforeseen"), 1),
    ],
)
def test_every_error_has_its_status(error: BaseException, status: int) -> None:
    assert exit_status(error) == status
    assert failed_run_json(error)["status"] == "failed"
    assert failed_run_json(error)["error"]
