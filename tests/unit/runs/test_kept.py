"""Keeping: what is too old goes, what is worked on stays, and only the end of a finished run is kept."""

import asyncio
import sqlite3
import time
import uuid
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.base.id import uuid6

from fusion_tool import ConfigError, afuse
from fusion_tool.runs import KEEP_DAYS, delete_runs, kept_runs
from fusion_tool.runs.file import opened
from fusion_tool.runs.kept import _first_id_at, prune, run_ids
from fusion_tool.runs.lock import Busy, working_on
from fusion_tool.testing import fake_config

DAY = 86_400


@pytest.fixture
def file(tmp_path):
    return tmp_path / "runs.sqlite"


async def aged(saver, days):
    """The id of a run whose last step was `days` ago."""
    run_id = uuid.uuid4().hex
    config = {"configurable": {"thread_id": run_id, "checkpoint_ns": ""}}
    born = _first_id_at(time.time() - days * DAY) + "-8000-000000000000"
    await saver.aput(config, empty_checkpoint() | {"id": born}, {}, {})
    return run_id


@given(st.floats(min_value=0, max_value=4e9))
def test_the_ids_of_checkpoints_sort_by_the_time_they_are_compared_with(unix):
    limit = _first_id_at(unix)
    assert len(limit) == 18
    assert _first_id_at(unix + 1) > limit


def test_a_checkpoint_made_now_lies_between_a_second_ago_and_a_second_hence():
    assert _first_id_at(time.time() - 1) < str(uuid6()) < _first_id_at(time.time() + 1)


async def test_runs_go_after_their_days(file):
    async with opened(file) as saver:
        old, young = await aged(saver, KEEP_DAYS + 0.1), await aged(saver, KEEP_DAYS - 0.1)
        assert await prune(saver, file) == [old]
        assert await run_ids(saver) == [young]


async def test_a_run_at_work_is_not_pruned_and_not_deleted(file):
    async with opened(file) as saver:
        old = await aged(saver, 100)
        with working_on(old, file):
            assert await prune(saver, file) == []
            with pytest.raises(Busy, match="another process"):
                await delete_runs(old, path=file)
        assert await delete_runs(older_than_days=99, path=file) == [old]
    assert [path.name for path in file.parent.glob("*.lock")] == []


async def test_one_at_a_time_works_on_a_run(file):
    with working_on("a", file), working_on("b", file), pytest.raises(Busy), working_on("a", file):
        pass
    with working_on("a", file):
        pass


async def test_an_unknown_run_deletes_nothing(file):
    async with opened(file) as saver:
        kept = await aged(saver, 1)
    with pytest.raises(ConfigError, match="no run"):
        await delete_runs(kept, "unknown", path=file)
    assert [run.id for run in await kept_runs(file)] == [kept]


async def test_of_a_finished_run_only_the_end_is_kept(file):
    results = await asyncio.gather(*(afuse(f"Question {n}?", fake_config(), keep=file) for n in range(5)))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM writes").fetchone() == (0,)
    kept = await kept_runs(file)
    assert {run.id for run in kept} == {result.run_id for result in results}
    assert {(run.status, run.stage) for run in kept} == {("finished", None)}
    assert [run.at for run in kept] == sorted((run.at for run in kept), reverse=True)


@pytest.mark.parametrize("unwritable", ["folder", "text"])
async def test_a_place_that_cannot_hold_runs_is_named(tmp_path, unwritable):
    path = tmp_path / "runs"
    path.mkdir() if unwritable == "folder" else path.write_text("no database, and long enough to tell" * 40)
    with pytest.raises(ConfigError, match="keep: runs cannot be kept in"):
        await afuse("Question?", fake_config(), keep=path)
