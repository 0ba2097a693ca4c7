"""What is noted comes into the file; whatever is wrong with the file costs one warning, never a call."""

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.models import breaker, outcomes
from fusion_tool.models.health import TRACKER
from fusion_tool.models.outcomes import KEEP_DAYS, Outcome, OutcomeRecorder, SqliteOutcomes
from fusion_tool.testing import ScriptedChat
from tests.unit.outcomes import outcome

pytestmark = pytest.mark.usefixtures("fresh")

M = "openrouter:v/m"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def ended(reason=None, **fields) -> Outcome:
    return outcome(M, reason, **fields)


def rows(path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]


def test_what_is_noted_is_found_in_the_summary():
    TRACKER.record(ended(cost_usd=0.25, input_tokens=10, output_tokens=5))
    TRACKER.record(ended("timeout"))
    (row,) = TRACKER.statistics(YESTERDAY)
    assert (row.model, row.calls, row.answered, dict(row.failed), row.cost_usd) == (M, 2, 1, {"timeout": 1}, 0.25)


def test_a_call_is_noted_with_what_it_cost():
    bill = Call(stage="panelist", seat="a", model=M, cost_usd=0.5, input_tokens=7, seconds=2.0)
    TRACKER.record_call(Panelist(model=M), None, seconds=2.0, first_token_seconds=0.25, rows=[bill])
    TRACKER.record_call(Panelist(model=M), "auth", seconds=0.1)
    TRACKER.record_call(Panelist(model=ScriptedChat(replies=["x"])), None, seconds=1.0)
    (row,) = TRACKER.statistics(YESTERDAY)
    assert (row.calls, row.first_token_p50, row.cost_usd, row.input_tokens, row.output_tokens) == (
        2,
        0.25,
        0.5,
        7,
        None,
    )


@pytest.mark.parametrize(
    ("costs", "known"), [((0.5, 0.25), 0.75), ((0.5, None), None), ((None, 0.5), None), ((0.0, 0.0), 0.0), ((), None)]
)
def test_a_call_cost_what_its_attempts_did_where_all_are_known(costs, known):
    rows = [Call(stage="panelist", seat="a", model=M, cost_usd=cost) for cost in costs]
    TRACKER.record_call(Panelist(model=M), None, seconds=2.0, rows=rows)
    (row,) = TRACKER.statistics(YESTERDAY)
    assert (row.calls, row.cost_usd, row.unpriced) == (1, known, known is None)


def test_looking_makes_no_file(fresh):
    TRACKER.load_recent_now()
    assert TRACKER.statistics(YESTERDAY) == []
    assert not fresh.exists()


def test_the_file_is_its_owner_s_alone(fresh):
    TRACKER.record(ended())
    TRACKER._recorder.flush()
    assert fresh.stat().st_mode & 0o077 == 0


def test_the_thread_writes_without_being_asked(fresh, monkeypatch):
    monkeypatch.setattr("fusion_tool.models.outcomes._BATCH_SECONDS", 0.0)
    TRACKER.record(ended())
    until = time.monotonic() + 10
    while not (fresh.exists() and TRACKER._recorder.since(0)):
        assert time.monotonic() < until
    assert rows(fresh) == 1


def test_old_outcomes_go_when_new_ones_come(fresh):
    old = ended()._replace(at=time.time() - (KEEP_DAYS + 1) * 86_400)
    SqliteOutcomes(fresh).append([old, old])
    SqliteOutcomes(fresh).append([ended()])
    assert rows(fresh) == 1


def test_the_file_has_a_most(fresh, monkeypatch):
    monkeypatch.setattr(outcomes, "_MAX_ROWS", 5)
    SqliteOutcomes(fresh).append([ended(input_tokens=n) for n in range(12)])
    assert [one.input_tokens for one in SqliteOutcomes(fresh).since(0)] == [7, 8, 9, 10, 11]


def test_what_waits_has_a_most(fresh, monkeypatch):
    monkeypatch.setattr("fusion_tool.models.outcomes._MAX_WAITING", 3)
    monkeypatch.setattr("fusion_tool.models.outcomes._BATCH_SECONDS", 3600)
    recorder = OutcomeRecorder(SqliteOutcomes())
    for n in range(10):
        recorder.put(ended(input_tokens=n))
    recorder.flush()
    assert [one.input_tokens for one in SqliteOutcomes(fresh).since(0)] == [7, 8, 9]


def test_another_process_learns_of_the_last_minutes(monkeypatch):
    for _ in range(3):
        TRACKER.record(ended("rate_limited"))
    TRACKER._recorder.flush()
    monkeypatch.setattr(TRACKER, "_breaker", breaker.Breaker())
    assert TRACKER.status(M).state == "closed"
    TRACKER.load_recent_now()
    assert TRACKER.status(M).state == "open"


async def test_a_run_learns_once_and_off_the_loop(monkeypatch):
    asked = []
    monkeypatch.setattr(TRACKER, "load_recent_now", lambda: asked.append(1))
    await TRACKER.load_recent()
    await TRACKER.load_recent()
    assert asked == [1]


_WRITER = """
import sys
import time
from fusion_tool.models.health import TRACKER
from fusion_tool.models.outcomes import Outcome
for n in range(20):
    TRACKER.record(Outcome(sys.argv[1], None, float(n), None, None, None, None, time.time()))
    if n % 5 == 0:
        TRACKER._recorder.flush()
"""


def test_processes_write_at_once_and_what_waits_at_exit_is_written(fresh):
    writers = [subprocess.Popen([sys.executable, "-c", _WRITER, f"m{n}"], stderr=subprocess.PIPE) for n in range(3)]
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [(b"", 0)] * 3
    assert rows(fresh) == 60


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_writes_its_own_and_nothing_of_its_parent_s(fresh, monkeypatch):
    monkeypatch.setattr("fusion_tool.models.outcomes._BATCH_SECONDS", 3600)
    TRACKER.record(ended(input_tokens=1))
    if (child := os.fork()) == 0:
        TRACKER.record(ended(input_tokens=2))
        TRACKER._recorder.flush()
        os._exit(0)
    os.waitpid(child, 0)
    assert [one.input_tokens for one in SqliteOutcomes(fresh).since(0)] == [2]


def corrupted(path):
    path.write_bytes(b"this has never been a database; it is longer than a header. " * 50)


def damaged(path):
    SqliteOutcomes(path).append([ended(input_tokens=n) for n in range(5000)])
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 40_000)


@pytest.mark.parametrize("breaking", [corrupted, damaged])
def test_a_corrupt_file_is_set_aside_with_one_warning_and_a_new_one_begun(fresh, caplog, breaking):
    fresh.parent.mkdir(parents=True)
    breaking(fresh)
    for _ in range(2):
        TRACKER.record(ended())
        TRACKER._recorder.flush()
    assert rows(fresh) == 2
    assert fresh.with_name("health.sqlite.corrupt").exists()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "a new one is begun" in caplog.text


def locked(path):
    SqliteOutcomes(path).append([])
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def in_the_way(path):
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("a file where the folder should be")


def a_folder(path):
    path.mkdir(parents=True)


def another_shape(path):
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE outcomes (at REAL)")


@pytest.mark.parametrize("breaking", [locked, in_the_way, a_folder, another_shape])
def test_a_file_of_no_use_costs_one_warning(fresh, caplog, breaking):
    held = breaking(fresh)
    for _ in range(3):
        TRACKER.record(ended("timeout"))
        TRACKER._recorder.flush(patience=0.01)
    assert TRACKER.status(M).state == "open"
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "not recorded" in caplog.text
    if held is not None:
        held.close()


def test_a_lock_that_is_let_go_costs_only_what_came_meanwhile(fresh):
    held = locked(fresh)
    TRACKER.record(ended())
    TRACKER._recorder.flush(patience=0.01)
    held.close()
    TRACKER.record(ended())
    TRACKER._recorder.flush()
    assert rows(fresh) == 1


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="nothing is read-only to root")
def test_a_read_only_folder_costs_one_warning(fresh, caplog):
    fresh.parent.mkdir(parents=True)
    fresh.parent.chmod(0o500)
    TRACKER.record(ended())
    TRACKER._recorder.flush()
    assert "not recorded" in caplog.text
