"""Files of runs that were not written by this version, or not by the package at all; and a file's own faults."""

import asyncio
import gzip
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.base.id import uuid6

from fusion_tool import ConfigError, afuse, build_graph
from fusion_tool.api.run_store import delete_runs, first_id_at, open_store
from fusion_tool.api.stored_runs import list_runs
from fusion_tool.testing import fake_config
from tests.unit.tools.test_serializer import CRAFTED, ext

RECORDED = Path(__file__).parents[2] / "data" / "kept_runs.sql.gz"
"""Written by the version before rows were read strictly, with `fake_config(answer="In 1861.")`."""
INSERT = "INSERT INTO checkpoints (thread_id, checkpoint_id) VALUES (?, '1')"
ALDER, BIRCH, CEDAR, ELM = (
    "46c4215c764b4418a5b8a9ecca09c685",
    "b0000000000000000000000000000002",
    "c0000000000000000000000000000003",
    "d0000000000000000000000000000004",
)
"""Finished; from messages, broken off before its judge; from messages, finished; broken off with one seat of two."""
CONFIG = fake_config(answer="In 1861.")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "runs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(gzip.decompress(RECORDED.read_bytes()).decode())
    return path


def craft(path, run_id, kind, raw, column="checkpoint"):
    with closing(sqlite3.connect(path)) as connection, connection:
        if column == "checkpoint":
            connection.execute(
                "UPDATE checkpoints SET type = ?, checkpoint = ? WHERE thread_id = ?", (kind, raw, run_id)
            )
        else:
            connection.execute("UPDATE writes SET type = ?, value = ? WHERE thread_id = ?", (kind, raw, run_id))


async def test_an_old_file_is_listed_whole(file):
    seen = {run.id: (run.question, run.status, run.stage, run.problem) for run in await list_runs(file)}
    assert seen == {
        ALDER: ("When was the Alder mill built?", "finished", None, None),
        BIRCH: ("When was the Birch mill built?", "unfinished", "judge", None),
        CEDAR: ("When was the Cedar mill built?", "finished", None, None),
        ELM: ("When was the Elm mill built?", "unfinished", "panelist", None),
    }


@pytest.mark.parametrize("run_id", [ALDER, BIRCH, CEDAR, ELM])
async def test_an_old_run_goes_on_to_its_answer(file, run_id):
    result = await afuse(None, CONFIG, resume=run_id, keep=file)
    assert (result.answer, result.status, len(result.responses)) == ("In 1861.", "ok", 2)


async def test_a_run_from_messages_is_kept_with_them(file):
    said = [HumanMessage("When was the Fir mill built?")]
    thread = {"configurable": {"thread_id": "f" * 32}}
    async with open_store(file) as store:
        await build_graph(checkpointer=store.saver).ainvoke({"messages": said}, thread, context=CONFIG)
    async with open_store(file) as store:
        state = await build_graph(checkpointer=store.saver).aget_state(thread)
    question, answer = state.values["messages"]
    assert (type(question), type(answer), answer.content) == (HumanMessage, AIMessage, "In 1861.")


@pytest.mark.parametrize("row", CRAFTED)
@pytest.mark.parametrize("column", ["checkpoint", "write"])
async def test_a_crafted_row_costs_its_own_run_alone(file, row, column, monkeypatch):
    called = []
    monkeypatch.setattr("os.system", lambda *given: called.append(given))
    kind, raw, named = CRAFTED[row]
    craft(file, ELM, kind, raw, column)
    seen = {run.id: run for run in await list_runs(file)}
    assert {run_id: run.status for run_id, run in seen.items()} == {
        ALDER: "finished",
        BIRCH: "unfinished",
        CEDAR: "finished",
        ELM: "unreadable",
    }
    assert (seen[ELM].question, seen[ELM].last_step_at, seen[ELM].stage) == ("", None, None)
    assert named in seen[ELM].problem
    assert ELM in seen[ELM].problem
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        await afuse(None, CONFIG, resume=ELM, keep=file)
    assert refused.value.field == "resume"
    assert called == []
    await delete_runs(ELM, place=file)
    assert ELM not in {run.id for run in await list_runs(file)}


@pytest.mark.parametrize("plain", [{}, [], "text", {"channel_values": 5}, {"v": 4, "id": 5}])
async def test_plain_data_that_is_no_run_is_broken(file, plain):
    import ormsgpack

    craft(file, ELM, "msgpack", ormsgpack.packb(plain))
    seen = {run.id: run.status for run in await list_runs(file)}
    assert seen[ELM] == "unreadable"
    assert list(seen.values()).count("unreadable") == 1


def test_the_command_says_it_in_one_line_and_lists_the_others(file):
    from fusion_tool.api.run_store import default_path
    from tests.unit.cli.support import fusion

    craft(file, ELM, "msgpack", ext(0, "os", "system", "true\n\x1b[2J"))
    default_path().parent.mkdir(parents=True, exist_ok=True)
    default_path().write_bytes(file.read_bytes())
    try:
        done = fusion("runs")
    finally:
        default_path().unlink()
    assert done.exit_code == 0
    assert all(run_id[:8] in done.stdout for run_id in (ALDER, BIRCH, CEDAR, ELM))
    warned, *_ = done.stderr.splitlines()
    assert warned.startswith(f"warning: run {ELM} cannot be read: it holds os.system")


@given(st.floats(min_value=0, max_value=4e9))
def test_the_ids_of_checkpoints_sort_by_the_time_they_are_compared_with(unix):
    limit = first_id_at(unix)
    assert len(limit) == 18
    assert first_id_at(unix + 1) > limit


def test_a_checkpoint_made_now_lies_between_a_second_ago_and_a_second_hence():
    assert first_id_at(time.time() - 1) < str(uuid6()) < first_id_at(time.time() + 1)


@pytest.mark.parametrize("unwritable", ["folder", "text"])
async def test_a_place_that_cannot_hold_runs_is_named(tmp_path, unwritable):
    path = tmp_path / "runs"
    path.mkdir() if unwritable == "folder" else path.write_text("no database, and long enough to tell" * 40)
    with pytest.raises(ConfigError, match="keep: runs cannot be kept in"):
        await afuse("Question?", fake_config(), keep=path)


@pytest.mark.parametrize("is_cancelled", [False, True], ids=["goes on", "cancelled"])
async def test_a_write_under_way_does_not_leave_the_file_locked(tmp_path, is_cancelled):
    """A cancelled run closes its file, whatever LangGraph's background writes have come to."""
    cursors, begun, closing_begun = [], asyncio.Event(), asyncio.Event()

    async def write(saver):
        async with saver.lock:
            # The cursor is referred to, as it is by the traceback of a cancelled write.
            cursors.append(await saver.conn.executemany(INSERT, [("run",)]))
            begun.set()
            await closing_begun.wait()
            await saver.conn.commit()

    async with open_store(tmp_path / "runs.sqlite") as store:
        task = asyncio.create_task(write(store.saver))
        await begun.wait()
        if is_cancelled:
            task.cancel()
        asyncio.get_running_loop().call_soon(closing_begun.set)
    await asyncio.gather(task, return_exceptions=True)
    with closing(sqlite3.connect(tmp_path / "runs.sqlite", timeout=0)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0] == (0 if is_cancelled else 1)
