"""How models fared, as processes share it: in each store the same, and what one saw the others learn."""

import asyncio
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import DatabaseUnavailable
from fusion_tool.models import health, outcomes
from fusion_tool.models.health import HealthTracker, tracker_at, tracker_for
from fusion_tool.models.outcomes import KEEP_DAYS, OutcomeStore, PostgresOutcomes, SqliteOutcomes
from tests.unit.outcomes import outcome

M = "openrouter:v/m"
YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_hurry(monkeypatch):
    """A busy machine is no reason to learn nothing."""
    monkeypatch.setattr(health, "_LOAD_SECONDS", 30.0)


@pytest.fixture(params=["sqlite", "postgres"])
def store(request, tmp_path) -> OutcomeStore:
    if request.param == "sqlite":
        return SqliteOutcomes(tmp_path / "health.sqlite")
    return PostgresOutcomes(request.getfixturevalue("database"))


def test_what_is_appended_is_read_back_by_time_and_nothing_else(store):
    assert store.since(0, patience=30.0) == []
    now = time.time()
    late, early = outcome(M, "timeout")._replace(at=now), outcome(M, input_tokens=7, cost_usd=0.5)._replace(at=now - 60)
    store.append([late], patience=30.0)
    store.append([early])
    assert store.since(0, patience=30.0) == [early, late]
    assert store.since(now, patience=30.0) == [late]


def test_old_outcomes_go_when_new_ones_come(store):
    old = outcome(M)._replace(at=time.time() - (KEEP_DAYS + 1) * 86_400)
    store.append([old, old])
    new = outcome(M)._replace(at=time.time())
    store.append([new])
    assert store.since(0, patience=30.0) == [new]


def test_a_model_that_fails_in_one_process_is_set_aside_in_the_next(store):
    one, other = HealthTracker(store), HealthTracker(store)
    for _ in range(3):
        one.record(outcome(M, "rate_limited")._replace(at=time.time()))
    one.flush(30.0)
    assert other.status(M).state == "closed"
    other.load_recent_now()
    assert other.status(M).state == "open"


@pytest.mark.parametrize(("reload_seconds", "state"), [(0.0, "open"), (3600.0, "closed")])
async def test_a_process_that_runs_for_long_learns_again(store, reload_seconds, state):
    here = HealthTracker(store, reload_seconds)
    await here.load_recent()
    await asyncio.to_thread(store.append, [outcome(M, "rate_limited")._replace(at=time.time())] * 3)
    await here.load_recent()
    assert here.status(M).state == state


def test_a_database_that_is_gone_costs_one_warning_and_no_call(caplog):
    tracker = HealthTracker(PostgresOutcomes("postgresql://nobody@/none?host=/nowhere"))
    for _ in range(3):
        tracker.record(outcome(M, "rate_limited")._replace(at=time.time()))
        tracker.flush(30.0)
    assert tracker.status(M).state == "open"
    (warning,) = caplog.records
    assert "health is not recorded in the shared database: " in warning.message


def test_a_process_that_ends_looks_the_database_up_without_a_thread():
    """By then no executor takes work: its last outcomes were lost, with a traceback."""
    program = """
from fusion_tool.config.schema import Panelist
from fusion_tool.models.health import tracker_at
tracker_at("postgresql://nobody@localhost:1/none").record_call(Panelist(model="openrouter:v/m"), None, seconds=1.0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    (warning,) = done.stderr.splitlines()
    assert "health is not recorded in the shared database: " in warning
    assert "Connection refused" in warning or "connection failed" in warning


def test_a_process_has_one_tracker_a_database():
    panel = FusionConfig(panel=[M], database="postgresql://db.example/one")
    assert tracker_for(panel) is tracker_at("postgresql://db.example/one") is not tracker_at("postgresql://other/two")
    assert tracker_for(FusionConfig(panel=[M])) is tracker_at(None) is health.TRACKER
    assert tracker_for(panel.model_copy(update={"health": False})) is None


def test_models_of_the_users_own_machine_are_nobody_elses(store, tmp_path):
    """Two machines, each with an Ollama of its own, and one database."""
    here, there = (HealthTracker(store, own=HealthTracker(SqliteOutcomes(tmp_path / name))) for name in ("a", "b"))
    remote, local = Panelist(model=M), Panelist(model="ollama:m")
    for panelist in (remote, local):
        for _ in range(3):
            here.record_call(panelist, "upstream_error", seconds=1.0)
    for tracker in (here, here._own):
        tracker.flush(30.0)
    there.load_recent_now()
    assert [here.allows(one) for one in (remote, local)] == [False, False]
    assert here.unavailable() == {M, "ollama:m"}
    assert [there.allows(one) for one in (remote, local)] == [False, True]
    assert there.status("ollama:m").state == "closed"
    assert {row.model for row in here.statistics(YESTERDAY)} == {M, "ollama:m"}
    assert {row.model for row in there.statistics(YESTERDAY)} == {M}


def test_a_thread_that_waits_no_longer_ends(database, monkeypatch):
    """Given up at whatever moment of connecting and asking, and not kept by what it began."""
    monkeypatch.setattr(outcomes, "_LEAST_PATIENCE_SECONDS", 0.0)
    for hundredths in range(20):
        with suppress(DatabaseUnavailable):
            PostgresOutcomes(database).since(0, patience=hundredths / 100)
