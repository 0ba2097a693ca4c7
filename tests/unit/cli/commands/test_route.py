"""`route`: the router's plan and why, without key, network or spending."""

import json
import re

import pytest
import typer
from typer.testing import CliRunner

from fusion_tool.cli.commands.route import route
from fusion_tool.cli.config_options import ConfigOptions
from fusion_tool.cli.main import CommandGroup
from tests.unit.cli.support import fusion

QUESTION = "Write a Python function that merges two sorted linked lists."
HARD = "Design a distributed rate limiter in Python across several regions and discuss the trade-offs in depth."


@pytest.fixture(autouse=True)
def _no_files_of_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


def run(*arguments, stdin=""):
    app = typer.Typer(cls=CommandGroup)
    app.command("route")(route)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["route", *arguments], input=stdin, catch_exceptions=False)


def plan(*arguments, stdin=""):
    return json.loads(run(*arguments, "--json", stdin=stdin).output)


def test_the_plan_and_why():
    shown = run(QUESTION)
    assert shown.exit_code == 0
    for text in ("coding", "glm-5", "0.95 asked", "SWE-bench", "solo: $", "seat 1", "Considered", "without a score"):
        assert text in shown.output


def test_as_json():
    told = plan(QUESTION, "--quality", "0.97")
    assert told["panel"][0]["model"] == "openrouter:anthropic/claude-opus-4.6"
    assert told["signals"]["domain"] == "coding"
    assert told["usd"] > 0


@pytest.mark.parametrize("quality", ["0.01", "0.95", "0.98", "0.99", "1.0"])
@pytest.mark.parametrize(
    ("question", "is_guess"),
    [
        ("Prove that the square root of 2 is irrational.", True),  # nobody has a score in mathematics
        ("Write a poem about the sea.", True),
        (QUESTION, False),
        (HARD, False),
    ],
)
def test_any_quality_has_a_plan(question, is_guess, quality):
    told = plan(question, "--quality", quality)
    assert told["panel"]
    assert ("no allowed model has a known score for" in told["reason"]) == is_guess
    assert ("days old" in told["reason"]) is not is_guess


@pytest.mark.parametrize("quality", ["0", "1.01", "nan"])
def test_what_is_no_share_is_refused(quality):
    refused = run(QUESTION, "--quality", quality)
    assert refused.exit_code == 2
    assert "quality" in refused.output


def test_a_panel_shows_who_compares():
    shown = run(HARD)
    assert "panel: $" in shown.output
    assert "anthropic/claude-opus-4.8" in shown.output


def test_flags_bind():
    denied = plan(QUESTION, "--deny", "z-ai/*", "--deny", "google/*")
    assert denied["panel"][0]["model"] == "openrouter:openai/gpt-5.4"
    assert plan(QUESTION, "--open-weights", "--quality", "1")["panel"][0]["model"] == "openrouter:z-ai/glm-5"


def test_a_set_key_tells_where_models_are_reached(monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789")
    assert plan(QUESTION)["panel"][0]["model"] == "anthropic:claude-opus-4-6"


def test_many_that_lack_one_key_are_one_line(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    shown = run(QUESTION).output
    assert re.search(r"^\d+ more not asked: OPENROUTER_API_KEY is not set\.$", shown, re.MULTILINE)
    assert "openrouter:" not in shown.partition("Considered")[2]
    assert sum(row["rejection"] == "OPENROUTER_API_KEY is not set" for row in plan(QUESTION)["candidates"]) > 5


def test_what_binds_is_named_by_its_flag_and_the_nearest_plan_is_shown_when_asked():
    failed = run(QUESTION, "--max-usd", "0.001")
    assert failed.exit_code == 2
    assert "--max-usd: no model that is good enough" in failed.output
    assert "Nearest plan" in run(QUESTION, "--max-usd", "0.001", "--nearest").output


def test_nothing_leaves_the_machine_with_privacy_local():
    assert "privacy = 'local'" in run(QUESTION, "--privacy", "local").output
    kept = plan(QUESTION, "--model", "ollama:qwen3:8b", "--privacy", "local")
    assert {seat["model"] for seat in kept["panel"]} == {"ollama:qwen3:8b"}


REFUSED = {
    "no question": (" ",),
    "a long question": ("why " * 30_000,),
    "a preset": (QUESTION, "--preset", "bugdet"),
    "a file": (QUESTION, "--config", "nowhere.toml"),
    "a number": (QUESTION, "--quality", "2"),
    "a limit": (QUESTION, "--model", "openrouter:openai/gpt-5.5", "--max-usd", "0.0000001"),
    "a local model": (QUESTION, "--model", "local:smolm2", "--privacy", "local"),
    "no local model": (QUESTION, "--privacy", "local"),
    "a ban": (QUESTION, "--deny", "*"),
    "an endpoint's key": (QUESTION, "--config", "own.toml", "--privacy", "local"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_what_ask_would_in_the_same_words(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-scripted-0000")
    own = '[[panel]]\nmodel = "mine"\nbase_url = "http://127.0.0.1:9/v1"\napi_key_env = "UNSET_KEY"\n'
    (tmp_path / "own.toml").write_text(own, "utf-8")
    shown, asked = (
        fusion(*command, *REFUSED[case]) for command in (("route",), ("ask", "--no-keep", "--strategy", "auto"))
    )
    assert shown.exit_code == asked.exit_code != 0
    assert shown.stderr == asked.stderr
    assert shown.stderr.startswith("error: ")


def test_the_question_may_be_piped_and_must_not_be_empty():
    assert plan("-", stdin=QUESTION)["signals"]["domain"] == "coding"
    assert run("-", stdin=" ").exit_code == 2


def test_a_file_of_ones_own_is_read_and_a_wrong_one_told(tmp_path):
    folder = tmp_path / "fusion-tool"
    folder.mkdir()
    (folder / "profiles.toml").write_text('["z-ai/glm-5"]\nretires_on = 2026-01-01\n', "utf-8")
    assert plan(QUESTION)["panel"][0]["model"] == "openrouter:openai/gpt-5.4"
    (folder / "profiles.toml").write_text('["z-ai/glm-5"]\ncolour = "blue"\n', "utf-8")
    failed = run(QUESTION)
    assert failed.exit_code == 2
    assert "colour" in failed.output


ROUTED = {
    "strategy": "auto",
    "quality": 0.9,
    "privacy": "local",
    "deny": ("x/*",),
    "require_open_weights": True,
    "follow_up": True,
    "cache": True,
    "hedge": 0.1,
}


@pytest.mark.parametrize("base", [{"models": ("openrouter:a/b",)}, {"preset": "budget"}])
def test_the_flags_of_the_router_reach_the_configuration(base):
    config = ConfigOptions(**base, **ROUTED).to_config()
    assert {name: getattr(config, name) for name in ROUTED} == ROUTED


def test_denials_add_up(tmp_path):
    file = tmp_path / "fusion.toml"
    file.write_text('preset = "budget"\ndeny = ["anthropic/*"]\n', "utf-8")
    assert ConfigOptions(config=file, deny=("x/*",)).to_config().deny == ("anthropic/*", "x/*")


def test_a_wrong_quality_is_named():
    failed = run(QUESTION, "--quality", "2")
    assert failed.exit_code == 2
    assert "--quality" in failed.output
