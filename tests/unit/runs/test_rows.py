"""Files of runs that were not written by this version, or not by the package at all."""

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from fusion_tool import ConfigError, afuse, build_graph
from fusion_tool.runs import delete_runs, kept_runs
from fusion_tool.runs.file import opened
from fusion_tool.testing import fake_config
from tests.unit.test_serializer import CRAFTED, ext

RECORDED = Path(__file__).parents[2] / "data" / "kept_runs.sql.gz"
"""Written by the version before rows were read strictly, with `fake_config(answer="In 1861.")`."""
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
    seen = {run.id: (run.question, run.status, run.stage, run.problem) for run in await kept_runs(file)}
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
    async with opened(file) as saver:
        await build_graph(checkpointer=saver).ainvoke({"messages": said}, thread, context=CONFIG)
    async with opened(file) as saver:
        state = await build_graph(checkpointer=saver).aget_state(thread)
    question, answer = state.values["messages"]
    assert (type(question), type(answer), answer.content) == (HumanMessage, AIMessage, "In 1861.")


@pytest.mark.parametrize("row", CRAFTED)
@pytest.mark.parametrize("column", ["checkpoint", "write"])
async def test_a_crafted_row_costs_its_own_run_alone(file, row, column, monkeypatch):
    called = []
    monkeypatch.setattr("os.system", lambda *given: called.append(given))
    kind, raw, named = CRAFTED[row]
    craft(file, ELM, kind, raw, column)
    seen = {run.id: run for run in await kept_runs(file)}
    assert {run_id: run.status for run_id, run in seen.items()} == {
        ALDER: "finished",
        BIRCH: "unfinished",
        CEDAR: "finished",
        ELM: "unreadable",
    }
    assert (seen[ELM].question, seen[ELM].at, seen[ELM].stage) == ("", None, None)
    assert named in seen[ELM].problem
    assert ELM in seen[ELM].problem
    with pytest.raises(ConfigError, match="cannot be read") as refused:
        await afuse(None, CONFIG, resume=ELM, keep=file)
    assert refused.value.field == "resume"
    assert called == []
    await delete_runs(ELM, path=file)
    assert ELM not in {run.id for run in await kept_runs(file)}


@pytest.mark.parametrize("plain", [{}, [], "text", {"channel_values": 5}, {"v": 4, "id": 5}])
async def test_plain_data_that_is_no_run_is_broken(file, plain):
    import ormsgpack

    craft(file, ELM, "msgpack", ormsgpack.packb(plain))
    seen = {run.id: run.status for run in await kept_runs(file)}
    assert seen[ELM] == "unreadable"
    assert list(seen.values()).count("unreadable") == 1


def test_the_command_says_it_in_one_line_and_lists_the_others(file):
    from fusion_tool.runs import default_path
    from tests.unit.cli.support import fusion

    craft(file, ELM, "msgpack", ext(0, "os", "system", "true\n\x1b[2J"))
    default_path().parent.mkdir(parents=True, exist_ok=True)
    default_path().write_bytes(file.read_bytes())
    try:
        done = fusion("runs")
    finally:
        default_path().unlink()
    assert done.exit_code == 0
    assert all(run_id in done.stdout for run_id in (ALDER, BIRCH, CEDAR, ELM))
    warned, *_ = done.stderr.splitlines()
    assert warned.startswith(f"warning: run {ELM} cannot be read: it holds os.system")
