"""`fusion-tool runs`, and how `ask` keeps and resumes."""

import json

import pytest

from fusion_tool.api.run_store import default_path
from tests.scripted_server import ScriptedServer
from tests.unit.cli.support import PANEL, QUESTION, STAGES, ask, fusion


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
    assert run_id in listed
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
def test_runs_are_deleted_by_name_and_by_age() -> None:
    first, second = answered(), answered()
    assert fusion("runs", "delete", first).exit_code == 0
    assert first not in fusion("runs").stdout
    assert fusion("runs", "delete", "--older-than", "1").stderr.strip() == "deleted 0 runs"
    assert fusion("runs", "delete", "--older-than", "0").stderr.strip() == "deleted 1 run"
    assert second not in fusion("runs").stdout


USAGE = [
    pytest.param(["ask"], id="neither question nor run"),
    pytest.param(["ask", QUESTION, "--resume", "0" * 32], id="question and run"),
    pytest.param(["ask", "--resume", "0" * 32, "--no-keep"], id="resumed and not kept"),
    pytest.param(["ask", "--resume", "0" * 32, "--context", "known"], id="resumed with a context"),
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
