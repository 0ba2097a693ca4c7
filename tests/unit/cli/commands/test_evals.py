"""`fusion-tool eval`: its commands without a model; `tests/integration/test_evals_run.py` has those with one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fusion_tool.routing.profiles import MEASURED_FILE
from tests.integration.evaluating import app
from tests.unit.evals.folders import answer, folder, references, solo

OPUS, GPT = "openrouter:anthropic/claude-opus-4.8", "openrouter:openai/gpt-5.5"


def evaluate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["eval", *arguments], prog_name="fusion-tool", catch_exceptions=False)


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    rows = [{"id": f"t{n}", "question": "How much?", "rubric": ["States it.", "Is short."]} for n in range(10)]
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return file


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    results = folder(tmp_path / "results", references(12, domain="mathematics"), solo(model=GPT))
    for n in range(12):
        answer(results, "solo", f"t{n}", str(n), cost_usd=0.001, seconds=1.0)
    return tmp_path / "results"


@pytest.mark.parametrize("command", ["run", "grade", "report", "estimate", "profiles", "watch"])
def test_help_teaches_by_example(command: str) -> None:
    told = evaluate(command, "--help")
    assert told.exit_code == 0
    assert f"fusion-tool eval {command}" in told.stdout


def test_the_estimate_needs_no_key_and_counts_the_grading(tasks: Path) -> None:
    judge = "openrouter:google/gemini-3.1-pro-preview"
    done = evaluate("estimate", str(tasks), "--arm", f"solo:{OPUS}", "--arm", f"self:{OPUS}", "--judge", judge)
    assert done.exit_code == 0, done.stderr
    alone, fused, total = (line.split() for line in done.stdout.splitlines()[1:4])
    assert (alone[1], fused[1], total[1], total[4]) == ("10", "10", "20", "40")
    assert 0 < float(alone[2][1:]) < float(fused[2][1:]) < float(total[2][1:]) < float(total[3][1:])
    fewer = evaluate("estimate", str(tasks), "--arm", f"solo:{OPUS}", "--limit", "3")
    assert "unknown" in evaluate("estimate", str(tasks), "--arm", "solo:openrouter:no/such").stdout
    assert fewer.stdout.splitlines()[1].split()[1] == "3"


def test_profiles_are_written_for_the_router(measured: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    file = tmp_path / "config" / "fusion-tool" / MEASURED_FILE
    shown = evaluate("profiles", str(measured), "--dry-run")
    assert "to be written" in shown.stdout
    assert not file.exists()
    assert str(file) in evaluate("profiles", str(measured)).stderr
    assert "mathematics" in file.read_text("utf-8")


def test_the_report_goes_to_files_too(measured: Path, tmp_path: Path) -> None:
    done = evaluate("report", str(measured), "--markdown", str(tmp_path / "r.md"))
    assert done.exit_code == 0, done.stderr
    assert "| solo | 100.0 |" in (tmp_path / "r.md").read_text("utf-8")
    assert "solo" in done.stdout


BAD = [
    pytest.param(["run", "TASKS", "--out", "OUT"], "arm: name at least one", id="no arm"),
    pytest.param(["run", "TASKS", "--arm", f"solo:{GPT}"], "--out", id="no folder"),
    pytest.param(
        ["run", "nosuch", "--arm", f"solo:{GPT}", "--out", "OUT", "--no-grade"], "no file nosuch", id="no tasks"
    ),
    pytest.param(
        ["run", "TASKS", "--arm", f"solo:{GPT}", "--out", "OUT", "--search", "exa", "--no-search"],
        "--search",
        id="both",
    ),
    pytest.param(["run", "TASKS", "--arm", f"solo:{GPT}", "--out", "OUT", "--passes", "0"], "--passes", id="no pass"),
    pytest.param(["grade", "OUT"], "holds no results", id="nothing to grade"),
    pytest.param(["grade", "RESULTS"], "name a judge", id="no judge"),
    pytest.param(["report", "OUT"], "holds no results", id="nothing to report"),
    pytest.param(["report", "RESULTS", "--against", "nobody"], "no arm 'nobody'", id="against nobody"),
    pytest.param(["watch", "TASKS", "--baseline", "RESULTS"], "is not, or not so, among the tasks", id="other tasks"),
    pytest.param(["estimate", "TASKS", "--arm", "solo"], "is none of", id="wrong arm"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_wrong_usage_is_one_line_and_status_2(
    tasks: Path, measured: Path, tmp_path: Path, arguments: list[str], told: str
) -> None:
    names = {"TASKS": str(tasks), "OUT": str(tmp_path / "out"), "RESULTS": str(measured)}
    done = evaluate(*(names.get(one, one) for one in arguments))
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert told in done.stderr


def test_without_the_extra_one_line_names_it(tasks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fusion_tool.config.installation.find_spec", lambda name: None if name == "scipy" else object())
    done = evaluate("run", str(tasks), "--arm", f"solo:{GPT}", "--no-grade", "--out", str(tmp_path / "out"))
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'fusion-tool[evals]'" in done.stderr


def test_the_commands_are_known_without_loading_what_they_need() -> None:
    heavy = "{'scipy', 'numpy', 'langgraph', 'langchain_core', 'rich.progress', 'pydantic', 'jinja2'}"
    code = f"import sys, fusion_tool.cli.commands.evals; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
