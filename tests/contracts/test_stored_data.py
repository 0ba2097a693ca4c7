"""What an older version stored is read by this one: kept runs, cached results, outcomes, an evaluation's folder."""

import json
import re
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusion_tool import afuse
from fusion_tool.cli.main import app
from tests.integration.breaking import COST, SEATS
from tests.integration.conftest import provider  # noqa: F401 - a fixture
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Reply

pytestmark = pytest.mark.loopback
STORED = Path(__file__).parents[1] / "data" / "stored"
FINISHED, AT_SYNTHESIS, AT_A_SEAT = (
    "7c9f1595cf584ce18af3bd09714551c6",
    "6da5774351484ec28f676baad1e95a41",
    "893247fa80c34c779fea653fa63d158e",
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's folders, empty."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data/fusion-tool").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def answers(provider):  # noqa: F811 - a fixture
    for seat in SEATS:
        provider.reply(seat, Reply("It was built in 1871.", cost=COST))
    provider.reply(JUDGE, Reply(verdict(), cost=COST))
    provider.reply(WRITER, Reply("In 1871.", cost=COST))
    return provider


def command(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("run_id", "missing", "answer"),
    [
        pytest.param(FINISHED, set(), "In 1861.", id="finished"),
        pytest.param(AT_SYNTHESIS, {WRITER}, "In 1871.", id="broken off in the synthesis"),
        pytest.param(AT_A_SEAT, {SEATS[2], JUDGE, WRITER}, "In 1871.", id="broken off at a seat"),
    ],
)
async def test_a_kept_run_goes_on(answers, home, run_id, missing, answer):
    file = shutil.copy(STORED / "runs.sqlite", home)
    result = await afuse(resume=run_id, keep=Path(file))
    assert answers.counts == Counter(dict.fromkeys(missing, 1))
    assert (result.run_id, result.status, result.answer) == (run_id, "ok", answer)
    assert [row.cost_source for row in result.usage.calls].count("provider") == 5
    assert [response.seat for response in result.responses] == ["one", "two", "three"]
    assert result.analysis is not None
    assert [dispute.topic for dispute in result.analysis.contradictions] == ["year"]


def test_kept_runs_are_listed(home):
    shutil.copy(STORED / "runs.sqlite", home / "data/fusion-tool")
    listing = command("runs")
    assert all(run_id[:8] in listing for run_id in (FINISHED, AT_SYNTHESIS, AT_A_SEAT, "messages"))
    assert listing.count(QUESTION) == 4
    assert listing.count("unfinished") == 2


async def test_a_cached_result_is_given_again(answers, home):
    config = panel(*SEATS, cache=True)
    await afuse(QUESTION, config)  # the call's key is known once it is stored
    file = home / "cache/fusion-tool/results.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        ((key, day),) = connection.execute("SELECT key, day FROM results").fetchall()
    before = answers.counts
    for left in file.parent.glob("results.sqlite*"):
        left.unlink()
    shutil.copy(STORED / "results.sqlite", file)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE results SET key = ?, day = ?", (key, day))
    result = await afuse(QUESTION, config)
    assert (result.cached, result.answer) == (True, "In 1861.")
    assert answers.counts == before


def test_outcomes_are_counted(home):
    file = Path(shutil.copy(STORED / "health.sqlite", home / "data/fusion-tool"))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE outcomes SET at = ?", (time.time() - 60,))
    found = {row["model"]: row for row in json.loads(command("models", "--json"))["models"]}
    assert (found["openrouter:v/a"]["calls"], found["m at 127.0.0.1:8000"]["calls"]) == (2, 1)


def test_an_evaluation_is_reported(home):
    folder = shutil.copytree(STORED / "evaluation", home / "evaluation")
    scores = re.findall(r"^(solo|panel) +(\d+\.\d) ", command("eval", "report", str(folder)), flags=re.MULTILINE)
    assert dict(scores) == {"solo": "41.7", "panel": "100.0"}
