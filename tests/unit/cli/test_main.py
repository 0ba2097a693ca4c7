"""Help, version, presets and the model's commands."""

import shlex
from pathlib import Path

import pytest

from fusion_tool.config.installation import version
from fusion_tool.config.presets import preset, preset_names
from fusion_tool.models.local.catalog import local_model
from fusion_tool.models.local.install import InstallStep
from tests.unit.cli.support import fusion

_OPTIONS = [
    *("--preset", "--config", "--model", "--judge", "--synthesizer", "--strategy"),
    *("--docs", "--context", "--search", "--no-search", "--exclude", "--bash"),
    *("--max-seconds", "--quorum", "--grace", "--json", "--events", "--quiet", "--debug", "--verbose"),
]


def test_help_names_every_command_with_an_example() -> None:
    shown = fusion("--help")
    assert shown.exit_code == 0
    for word in ("ask", "presets", "doctor", "init", "model", "Examples", "--preset local"):
        assert word in shown.stdout


@pytest.mark.parametrize(
    "option",
    [
        "--preset",
        "--config",
        "--model",
        "--judge",
        "--synthesizer",
        "--strategy",
        "--docs",
        "--context",
        "--search",
        "--no-search",
        "--exclude",
        "--bash",
        "--max-seconds",
        "--quorum",
        "--grace",
        "--json",
        "--events",
        "--quiet",
        "--debug",
        "--verbose",
    ],
)
def test_help_of_ask_names_every_option(option: str) -> None:
    assert f" {option} " in fusion("ask", "--help").stdout


def test_help_of_ask_teaches() -> None:
    shown = fusion("ask", "--help").stdout
    for words in ("Examples", "reads standard input", "Exit status: 0 answered", "Tools and sources"):
        assert words in shown


def test_without_a_command_help_is_shown() -> None:
    shown = fusion()
    assert shown.exit_code == 2
    assert "Usage: fusion-tool" in shown.stdout
    assert shown.stderr == ""


@pytest.mark.parametrize(
    ("words", "near"),
    [
        ("docter", "doctor"),
        ("Ask", "ask"),
        ("runs shwo", "show"),
        ("model remov", "remove"),
        ("keys sett", "set"),
        ("eval reprot", "report"),
        ("ask --preest fast", "--preset"),
        ("runs delete --older-then 3", "--older-than"),
    ],
)
def test_a_misspelt_command_or_option_gets_the_nearest_right_one(words: str, near: str) -> None:
    done = fusion(*words.split())
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert f"id you mean '{near}'?" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ask q --max-usd x", "'--max-usd': expected a number"),
        ("ask q --max-usd inf", "--max-usd: expected a finite number"),
        ("ask q --max-tokens 1.5", "'--max-tokens': expected a whole number"),
        ("ask q --quorum 9", "--quorum: must be at most 8"),
        ("ask q --docs ''", "--docs: expected a path, not nothing"),
        ("serve --port 99999", "'--port': must be at most 65535"),
        ("serve --port -1", "'--port': must be at least 0"),
        ("eval run draco --passes 0", "'--passes': must be at least 1"),
        ("runs delete --older-than 1e400", "'--older-than': must be at most 36500"),
        ("eval grade nothing-there", "nothing-there holds no results"),
    ],
)
def test_a_wrong_value_is_told_without_words_of_programmers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-0123456789abcdef")
    done = fusion(*shlex.split(words))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert said in done.stderr
    assert not [*tmp_path.iterdir()]


def test_version() -> None:
    assert fusion("--version").stdout == f"fusion-tool {version()}\n"


def test_presets_lists_all_with_models_and_key() -> None:
    shown = fusion("presets")
    assert shown.exit_code == 0
    for name in preset_names():
        assert f"\n{name} " in shown.stdout
    assert "deepseek/deepseek-v4-pro" in shown.stdout
    assert "anthropic/claude-opus-4.8 (2 times)" in " ".join(shown.stdout.split()) or "(2 times)" in shown.stdout
    assert "OPENROUTER_API_KEY" in shown.stdout
    assert "fusion-tool model install" in " ".join(shown.stdout.split())


def test_every_preset_needs_something_that_the_list_can_name() -> None:
    models = {seat.model_name for name in preset_names() if name != "ollama" for seat in preset(name).panel}
    assert {model.partition(":")[0] for model in models} == {"openrouter", "local"}


def test_model_list_tells_what_is_installed() -> None:
    assert "not installed" in fusion("model", "list").stdout
    weights = local_model("smollm2-135m").path
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert "installed at" in fusion("model", "list").stdout


def test_model_install_passes_the_name_and_shows_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def install(name: str, *, on_step: object) -> Path:
        asked.append(name)
        on_step(InstallStep("downloading", 0, 100))  # type: ignore[operator] # an object to the type checker
        on_step(InstallStep("downloading", 100, 100))  # type: ignore[operator] # an object to the type checker
        on_step(InstallStep("installed"))  # type: ignore[operator] # an object to the type checker
        return Path(f"{name}.gguf")

    async def trial(_name: str) -> str:
        return "cites"

    monkeypatch.setattr("fusion_tool.cli.installation.install", install)
    monkeypatch.setattr("fusion_tool.cli.installation.try_local_model", trial)
    done = fusion("model", "install")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.split() == ["downloading", "installed", "smollm2-135m", "is", "tried:", "cites"]
    assert asked == ["smollm2-135m"]


@pytest.mark.parametrize("source", ["qwen", "hf:owner/repository/file.gguf"])
def test_a_large_download_without_a_terminal_needs_yes(source: str) -> None:
    done = fusion("model", "install", source)
    assert done.exit_code == 2
    assert "--yes" in done.stderr


def test_a_removed_model_is_named() -> None:
    weights = local_model("smollm2-135m").path
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert "smollm2-135m.gguf" in fusion("model", "remove", "smollm2").stderr.replace("\n", "")
    again = fusion("model", "remove", "smollm2")
    assert (again.exit_code, again.stderr) == (2, "error: model: 'smollm2-135m' is not installed\n")


def test_an_unknown_model_cannot_be_installed() -> None:
    done = fusion("model", "install", "gpt-5.5")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "smollm2-135m" in done.stderr
