"""An answered question: what stands on stdout, what on stderr."""

import json
from pathlib import Path

import pytest

from fusion_tool.graph.result import FusionResult
from tests.scripted_server import Reply, ScriptedServer
from tests.unit.cli.support import ANALYSIS, PANEL, QUESTION, SENTENCE, STAGES, ask, titan

pytestmark = pytest.mark.loopback

# The contract's own list of fields, written down apart from the models that produce them.
_SHAPE = {
    "": "status schema_version cached answer citations sources analysis responses failed_models degraded plan usage "
    "timing run_id question created_at version",
    "citations": "number source_id url title support",
    "sources": "id url title kind retrieved_by",
    "analysis": "consensus contradictions partial_coverage unique_insights blind_spots",
    "analysis.contradictions": "topic stances",
    "analysis.contradictions.stances": "model stance",
    "analysis.partial_coverage": "models point",
    "analysis.unique_insights": "model insight",
    "responses": "seat model content sources tool_calls seconds wave audit",
    "responses.audit": "supported weak mismatch",
    "failed_models": "seat model reason message status_code",
    "plan": "strategy seats reason bash",
    "usage": "calls input_tokens output_tokens cost_usd unpriced_calls",
    "usage.calls": "stage seat model input_tokens output_tokens cached_tokens cost_usd cost_source seconds",
    "timing": "total_seconds panel_seconds judge_seconds synthesis_seconds",
}


def test_answer_and_sources_stand_on_stdout(openrouter: ScriptedServer, tmp_path: Path) -> None:
    done = ask(QUESTION, *PANEL, *STAGES, "--docs", str(titan(tmp_path / "docs")))
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{SENTENCE} [1].\n\nSources\n[1] ")
    source, place, passage = done.stdout.splitlines()[3:]
    assert source.endswith("supported")
    assert place == f"    supported: {SENTENCE} [1]."
    assert passage.startswith("      source: ")
    assert openrouter.counts == {"v/a": 2, "v/b": 2, "v/judge": 1, "v/writer": 1}


@pytest.mark.usefixtures("openrouter")
def test_seats_disputes_bill_and_time_stand_on_stderr(tmp_path: Path) -> None:
    folder = str(titan(tmp_path / "docs"))
    told = ask(QUESTION, *PANEL, "--model", "openrouter:v/bad", *STAGES, "--docs", folder).stderr
    assert "bad    openrouter:v/bad  failed    auth: openrouter:v/bad: No auth credentials found" in told
    assert "(its key is in OPENROUTER_API_KEY)" in told
    assert "answered" in told
    assert "disputed: 1" in told
    assert "7 bar" in told
    assert "unsupported: openrouter:v/" in told
    assert "It has 7 bar. (Its source says 1.5 bar.)" in " ".join(told.split())
    assert "panel_reduced" in told
    rows = {row.split()[0]: row.split() for row in told.splitlines() if row.startswith(("panel ", "judge ", "total "))}
    assert rows["panel"][-1] == "$0.0060"
    assert rows["judge"][-1] == "$0.0030"
    assert " ".join(rows["total"][-6:]) == "$0.0090 + 1 of unknown cost"
    assert "synthesis      1        100          20                      unknown" in told
    assert "Time: " in told


def test_a_second_readers_verdict_stands_beside_the_audits(openrouter: ScriptedServer, tmp_path: Path) -> None:
    rows = [{"id": 1, "verdict": "supports", "quote": "thickest atmosphere"}]
    openrouter.reply("v/judge", Reply(json.dumps(ANALYSIS)), Reply(json.dumps({"verdicts": rows})))
    told = ask(QUESTION, *PANEL, *STAGES, "--verify", "--docs", str(titan(tmp_path / "docs")))
    assert '      openrouter:v/judge reads: supports: "thickest atmosphere"' in told.stdout
    assert "citations verified: 1 carried (openrouter:v/judge)" in told.stderr
    assert "verification" in told.stderr


@pytest.mark.usefixtures("openrouter")
def test_progress_tells_each_step(tmp_path: Path) -> None:
    told = ask(QUESTION, *PANEL, *STAGES, "--docs", str(titan(tmp_path / "docs"))).stderr
    for step in (
        "a: asked (openrouter:v/a)",
        "a: search_documents 'thickest atmosphere', 1 found",
        "b: answered in ",
        "the panel has closed: 2 answered, 0 failed",
        "compared: 1 agreed, 1 disputed",
        "the answer is being written",
    ):
        assert step in told


@pytest.mark.usefixtures("openrouter")
def test_quiet_leaves_the_answer_and_its_sources() -> None:
    done = ask(QUESTION, *PANEL, *STAGES, "--quiet")
    assert done.stderr == ""
    assert done.stdout == f"{SENTENCE}.\n\nSources: the answer cites none.\n"


@pytest.mark.usefixtures("openrouter")
def test_json_holds_every_field(tmp_path: Path) -> None:
    folder = str(titan(tmp_path / "docs"))
    done = ask(QUESTION, *PANEL, "--model", "openrouter:v/bad", *STAGES, "--docs", folder, "--json")
    result = json.loads(done.stdout)
    assert FusionResult.model_validate(result).question == QUESTION
    for path, fields in _SHAPE.items():
        found = _at(result, path)
        assert found, path
        assert set(fields.split()) <= set(found), path


@pytest.mark.usefixtures("openrouter")
def test_documents_are_named_one_by_one_and_what_is_not_read_is_told(tmp_path: Path) -> None:
    file = next(titan(tmp_path / "docs").iterdir())
    others = tmp_path / "others"
    others.mkdir()
    for name, content in {"empty.csv": b"", "old.doc": b"words", "cut.docx": b"PK"}.items():
        (others / name).write_bytes(content)
    done = ask(QUESTION, *PANEL, *STAGES, "--docs", str(file), "--docs", str(others), "--json")
    left_out = {
        "others/cut.docx": "the file is broken: it is no zip archive",
        "others/empty.csv": "holds no text",
        "others/*.doc": "1 file of a kind that is not read",
    }
    for path, reason in left_out.items():
        assert f"left out: {path}: {reason}" in done.stderr
    documents = json.loads(done.stdout)["documents"]
    assert documents["indexed"] == 1
    assert {row["path"]: row["reason"] for row in documents["skipped"]} == left_out
    assert (
        "Documents: 1 read, 3 left out"
        in ask(QUESTION, *PANEL, *STAGES, "--docs", str(file), "--docs", str(others)).stderr
    )


@pytest.mark.usefixtures("openrouter")
def test_events_are_json_lines() -> None:
    lines = ask(QUESTION, *PANEL, *STAGES, "--events").stdout.splitlines()
    events = [json.loads(one) for one in lines]
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["run.started", "plan.chosen"]
    assert kinds[-1] == "run.completed"
    assert "".join(e["text"] for e in events if e["type"] == "synthesis.delta") == events[-1]["result"]["answer"]


@pytest.mark.parametrize(("typed", "piped"), [(QUESTION, ""), ("-", f"{QUESTION}\n")])
def test_the_question_is_an_argument_or_standard_input(openrouter: ScriptedServer, typed: str, piped: str) -> None:
    assert ask(typed, *PANEL, *STAGES, "--quiet", stdin=piped).exit_code == 0
    assert QUESTION in openrouter.calls("v/a")[0].prompt


def test_the_context_reaches_the_seats(openrouter: ScriptedServer) -> None:
    ask(QUESTION, *PANEL, *STAGES, "--context", "It is not Triton.")
    assert "It is not Triton." in openrouter.calls("v/a")[0].prompt


def test_solo_asks_the_first_seat_alone(openrouter: ScriptedServer) -> None:
    done = ask(QUESTION, *PANEL, "--strategy", "solo")
    assert done.stdout.startswith(SENTENCE)
    assert set(openrouter.counts) == {"v/a"}


def test_what_a_model_says_cannot_steer_the_terminal(openrouter: ScriptedServer) -> None:
    openrouter.reply("v/writer", Reply("[bold]red[/bold] \x1b[2J\x1b]0;owned\x07 \u202egnorw :smile:"))
    done = ask(QUESTION, *PANEL, *STAGES, "--quiet")
    assert done.stdout.startswith("[bold]red[/bold] [2J]0;owned gnorw :smile:\n")


@pytest.mark.parametrize("quiet", [False, True])
def test_a_judge_that_returns_prose_costs_the_analysis_alone(openrouter: ScriptedServer, quiet: bool) -> None:
    openrouter.reply("v/judge", "They agree, I would say.")
    done = ask(QUESTION, *PANEL, *STAGES, *(["--quiet"] if quiet else []))
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{SENTENCE}.")
    assert ("warning: the judge openrouter:v/judge gave no analysis" in done.stderr) != quiet
    assert ("Degraded (status partial): analysis_unavailable" in done.stderr) != quiet


def test_a_key_never_shows(openrouter: ScriptedServer) -> None:
    openrouter.reply("v/a", Reply(""))
    done = ask(QUESTION, *PANEL, *STAGES, "-vv")
    assert "0123456789abcdef" not in done.output


def _at(value: object, path: str) -> object:
    """The first value at a dotted path; of a list, its first element."""
    for name in filter(None, path.split(".")):
        value = value[name]  # type: ignore[index] # nested JSON
        value = value[0] if isinstance(value, list) else value
    return value
