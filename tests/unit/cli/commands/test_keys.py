"""`fusion-tool keys`: names and where they come from; a key comes by a prompt or a pipe, and is never shown."""

from pathlib import Path

import pytest

from tests.unit.cli.support import fusion

KEY = "sk-0123456789abcdefghij"


def test_a_key_comes_by_the_pipe_and_is_listed_by_its_name(user_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = user_folder / "keys.env"
    done = fusion("keys", "set", "OPENAI_API_KEY", stdin=f"{KEY}\n")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", f"stored in {file}\n")
    assert file.read_text("utf-8") == f"OPENAI_API_KEY={KEY}\n"
    monkeypatch.setenv("XAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    listed = fusion("keys")
    assert [line.split() for line in listed.stdout.splitlines()[1:]] == [
        ["OPENAI_API_KEY", "the", "environment,", "which", "counts", "before", "keys.env"],
        ["XAI_API_KEY", "the", "environment"],
    ]
    again = fusion("keys", "set", "OPENAI_API_KEY", stdin=KEY)
    assert "set in the environment too" in again.stderr
    assert KEY not in listed.output + again.output


def test_a_terminal_is_asked_without_an_echo(user_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusion_tool.cli.terminal.can_ask", lambda: True)
    asked = []

    def prompt(text: str, **options: object) -> str:
        asked.append((text, options["hide_input"]))
        return KEY

    monkeypatch.setattr("typer.prompt", prompt)
    assert fusion("keys", "set", "XAI_API_KEY").exit_code == 0
    assert asked == [("XAI_API_KEY (not shown)", True)]
    assert (user_folder / "keys.env").read_text("utf-8") == f"XAI_API_KEY={KEY}\n"


@pytest.mark.usefixtures("user_folder")
@pytest.mark.parametrize("arguments", [("set",), ("set", "XAI_API_KEY", KEY), ("set", KEY)])
def test_a_key_is_no_argument(arguments: tuple[str, ...]) -> None:
    done = fusion("keys", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("user_folder")
def test_without_any_the_first_step_is_named() -> None:
    assert "fusion-tool keys set OPENROUTER_API_KEY" in fusion("keys").stderr
