"""`fusion-tool runs`, and how `ask` keeps, resumes and goes on."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from fusion_tool.api.run_store import default_path
from fusion_tool.api.stored_runs import StoredRun
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.cli.commands.runs import _run_table
from tests.scripted_server import ScriptedServer
from tests.unit.cli.support import PANEL, QUESTION, SENTENCE, STAGES, ask, fusion, titan


def answered(*arguments: str) -> str:
    """The id of a run that was carried out."""
    done = ask(QUESTION, *PANEL, *STAGES, "--json", *arguments)
    assert done.exit_code == 0, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def test_without_runs_the_list_is_empty_and_makes_no_file() -> None:
    listed = fusion("runs")
    assert (listed.exit_code, listed.stdout) == (0, "")
    assert str(default_path()) in listed.stderr.replace("\n", "")
    assert not default_path().exists()


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_a_run_is_kept_and_listed_with_its_question() -> None:
    run_id = answered()
    listed = fusion("runs").stdout
    assert run_id[:8] in listed
    assert "finished" in listed
    assert QUESTION[:40] in listed
    assert default_path().stat().st_mode & 0o077 == 0


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_no_keep_keeps_nothing() -> None:
    answered("--no-keep")
    assert not default_path().exists()


@pytest.mark.loopback
def test_a_finished_run_is_shown_again_without_a_call(openrouter: ScriptedServer) -> None:
    run_id = answered()
    before = openrouter.counts
    again = fusion("ask", "--resume", run_id, "--json")
    assert json.loads(again.stdout)["run_id"] == run_id
    assert openrouter.counts == before


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_another_configuration_is_refused_in_the_flags_words() -> None:
    run_id = answered()
    refused = fusion("ask", "--resume", run_id, *PANEL, *STAGES, "--max-usd", "1", "--allow-unpriced")
    assert refused.exit_code == 2
    assert refused.stderr.count("\n") == 1
    assert "was started with" in refused.stderr


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_a_flag_beside_a_run_of_another_configuration_is_what_is_to_be_left_out() -> None:
    refused = fusion("ask", "--resume", answered(), "--max-seconds", "15", "--no-search")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: --no-search, --max-seconds: a resumed run keeps its own settings; leave")


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_an_id_is_whole_on_every_terminal(columns: int) -> None:
    unknown = Call(stage="panelist", seat="a", model="x:a", cost_usd=None)
    usage = Usage.of([unknown, unknown.model_copy(update={"cost_usd": 0.25})])
    run = StoredRun("0123456789ab", "Which moon is it? " * 9, datetime.now(UTC), "unfinished", "panelist", usage)
    console = Console(width=columns, file=io.StringIO())
    with console.capture() as shown:
        console.print(_run_table([run, run]))
    rows = shown.get().splitlines()
    assert sum(row.startswith("01234567  2") for row in rows) == 2
    assert "Which moon" in " ".join(row[28:] for row in rows)
    assert max(map(len, rows)) <= columns


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_a_data_folder_that_cannot_be_written_costs_the_keeping_alone() -> None:
    folder = default_path().parent
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("where a folder should be", "utf-8")
    done = ask(QUESTION, *PANEL, *STAGES)
    assert done.exit_code == 0
    assert SENTENCE in done.stdout
    assert f"warning: the run is not kept: {default_path()}: " in done.stderr
    assert "Errno" not in done.stderr
    assert "not_kept" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(", not kept")
    found = {check["name"]: check for check in json.loads(fusion("doctor", "--json").stdout)["checks"]}
    assert (found["data folder"]["ok"], found["data folder"]["cure"]) == (False, None)
    assert "XDG_DATA_HOME" in found["data folder"]["detail"]


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_runs_are_deleted_by_name_and_by_age() -> None:
    first, second = answered(), answered()
    assert fusion("runs", "delete", first[:12]).exit_code == 0
    assert first[:8] not in fusion("runs").stdout
    assert fusion("runs", "delete", "--older-than", "1").stderr.strip() == "deleted 0 runs"
    assert fusion("runs", "delete", "--older-than", "0").stderr.strip() == "deleted 1 run"
    assert second[:8] not in fusion("runs").stdout


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
@pytest.mark.parametrize("shape", [(), ("--json",), ("--events",)])
def test_every_run_says_its_id_at_the_end(shape: tuple[str, ...]) -> None:
    done = ask(QUESTION, *PANEL, *STAGES, *shape)
    (kept,) = json.loads(fusion("runs", "--json").stdout)["runs"]
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"run {kept['id']}: ")
    assert f"runs show {kept['id'][:8]}" in line
    assert ask(QUESTION, *PANEL, *STAGES, "--no-keep").stderr.splitlines()[-1].endswith(", not kept")


@pytest.mark.loopback
def test_a_run_is_shown_again_as_it_was_and_asks_nobody(openrouter: ScriptedServer, tmp_path: Path) -> None:
    first = ask(QUESTION, *PANEL, *STAGES, "--docs", str(titan(tmp_path / "docs")))
    (kept,) = json.loads(fusion("runs", "--json").stdout)["runs"]
    before = openrouter.counts
    again = fusion("runs", "show", kept["id"][:6])
    assert (again.exit_code, again.stdout) == (0, first.stdout)
    assert f"Question: {QUESTION}" in again.stderr
    assert "Bill" in again.stderr
    assert json.loads(fusion("runs", "show", kept["id"], "--json").stdout)["run_id"] == kept["id"]
    file = tmp_path / "again.html"
    assert fusion("runs", "show", kept["id"], "-o", str(file)).exit_code == 0
    assert QUESTION in file.read_text("utf-8")
    assert openrouter.counts == before


@pytest.mark.loopback
def test_a_failed_run_is_shown_as_one(openrouter: ScriptedServer) -> None:
    first = ask(QUESTION, "--model", "openrouter:v/bad", *STAGES)
    (kept,) = json.loads(fusion("runs", "--json").stdout)["runs"]
    assert first.stderr.splitlines()[-1] == f"run {kept['id']}"
    again = fusion("runs", "show", kept["id"][:8])
    assert (again.exit_code, again.stdout) == (3, "")
    assert again.stderr.splitlines()[0] == first.stderr.splitlines()[-3]
    assert openrouter.counts == {"v/bad": 1}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the commands keep and find runs."""
    if request.param == "postgres":
        monkeypatch.setenv("FUSION_DATABASE_URL", request.getfixturevalue("database"))


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_a_run_whose_database_is_away_is_not_said_to_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSION_DATABASE_URL", "postgresql://nobody@/none?host=/nowhere")
    done = ask(QUESTION, *PANEL, *STAGES)
    assert done.exit_code == 0, done.stderr
    assert done.stderr.splitlines()[-1].endswith(", not kept")
    assert "not_kept" in done.stderr


@pytest.mark.loopback
@pytest.mark.usefixtures("place")
def test_a_question_goes_on_from_a_kept_run(openrouter: ScriptedServer, tmp_path: Path) -> None:
    docs = ("--docs", str(titan(tmp_path / "docs")))
    run_id = answered(*docs)
    later = json.loads(ask("And its age?", *PANEL, *STAGES, *docs, "--continue", run_id[:8], "--json").stdout)
    assert later["continues"] == run_id
    assert SENTENCE in openrouter.calls("v/a")[-1].prompt
    assert QUESTION in openrouter.calls("v/a")[-1].prompt


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        pytest.param((), ["v/a", "v/b"], id="the run's own panel"),
        pytest.param(("--max-seconds", "60"), ["v/a", "v/b"], id="with another limit"),
        pytest.param(("--model", "openrouter:v/c", *STAGES), ["v/c"], id="another one that is named"),
    ],
)
def test_whom_a_question_that_goes_on_asks(
    openrouter: ScriptedServer, flags: tuple[str, ...], asked: list[str]
) -> None:
    run_id, before = answered(), openrouter.counts
    later = ask("And its age?", *flags, "--continue", run_id[:8])
    assert later.exit_code == 0
    assert ("with that run's panel" in later.stderr) is (asked != ["v/c"])
    assert [seat for seat in sorted(openrouter.counts - before) if seat in {"v/a", "v/b", "v/c"}] == asked


@pytest.mark.loopback
@pytest.mark.usefixtures("openrouter")
def test_the_list_ends_with_what_was_spent_by_day() -> None:
    answered()
    ask(QUESTION, "--model", "openrouter:v/bad", *STAGES)
    listed = json.loads(fusion("runs", "--json").stdout)
    (day,) = listed["spent_by_day"]
    assert day["runs"] == 2
    assert day["cost_usd"] == pytest.approx(sum(row["cost_usd"] or 0 for row in listed["runs"]))
    assert day["unpriced_calls"] == sum(row["unpriced_calls"] for row in listed["runs"]) == 1
    assert f"{day['day']}     2  ${day['cost_usd']:.4f} + 1 of unknown cost" in fusion("runs").stdout


QUESTIONS = [
    (["ask"], "QUESTION: give one, '-' to read it from standard input"),
    (["ask", QUESTION, "--resume", "0" * 32], "--resume: a resumed run has its question"),
    (["ask", "--continue", "0" * 32], "--continue: goes on with a question; give one"),
]


@pytest.mark.parametrize(("arguments", "cure"), QUESTIONS)
def test_a_question_too_few_or_too_many_has_its_own_cure(arguments: list[str], cure: str) -> None:
    done = fusion(*arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert cure in done.stderr


USAGE = [
    pytest.param(["ask", "--resume", "0" * 32, "--no-keep"], id="resumed and not kept"),
    pytest.param(["ask", "--resume", "0" * 32, "--context", "known"], id="resumed with a context"),
    pytest.param(["ask", "--resume", "0" * 32, "--continue", "0" * 32], id="resumed and going on"),
    pytest.param(["ask", QUESTION, "--model", "ollama:m", "--continue", "0" * 32], id="unknown to go on from"),
    pytest.param(["runs", "show", "0" * 32], id="unknown to show"),
    pytest.param(["runs", "show"], id="nothing to show"),
    pytest.param(["runs", "delete"], id="nothing to delete"),
    pytest.param(["runs", "delete", "--older-than", "-1"], id="in the future"),
    pytest.param(["runs", "delete", "0" * 32], id="unknown to delete"),
    pytest.param(["ask", "--resume", "0" * 32], id="unknown to resume"),
]


@pytest.mark.parametrize("arguments", USAGE)
def test_wrong_usage_is_one_line_and_status_2(arguments: list[str]) -> None:
    done = fusion(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_file_of_another_kind_is_said_to_be_one() -> None:
    path = default_path()
    path.parent.mkdir(parents=True)
    path.write_text("These are no runs, and were never any; they are longer than a header. " * 20, "utf-8")
    done = fusion("runs")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "runs cannot be kept in" in done.stderr
    assert "move it away, and a new one is begun" in done.stderr
