"""What every place with runs does, a SQLite file or the shared database.

What is too old goes, what is worked on stays, of a finished run only the end is kept, and nobody sees another's.
"""

import asyncio
import sqlite3
import threading
import time
import uuid
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint

from fusion_tool import ChatFusion, ConfigError, DatabaseUnavailable, FusionTool, PanelFailed, afuse, astream
from fusion_tool.api.execution import stored_run
from fusion_tool.api.run_store import KEEP_DAYS, OWNER_KEY, RunBusyError, delete_runs, first_id_at, open_store
from fusion_tool.api.runner import resume_request, run_request
from fusion_tool.api.stored_runs import list_runs, read_result
from fusion_tool.budget.postgres import PostgresBudgets
from fusion_tool.budget.store import Amounts
from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.inputs import RunInput
from fusion_tool.testing import fake_config
from tests.unit.cli.support import fusion
from tests.unit.tools.test_serializer import CRAFTED

DAY = 86_400
COUNT = "SELECT count(*) FROM "
TABLES = {"sqlite": ("checkpoints", "writes"), "postgres": ("checkpoints", "checkpoint_writes", "checkpoint_blobs")}


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where runs are kept, with nothing in it."""
    return tmp_path / "runs.sqlite" if request.param == "sqlite" else request.getfixturevalue("database")


def counts(place):
    """How many rows each table has."""
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as connection:
            return [connection.execute(COUNT + name).fetchone()[0] for name in TABLES["sqlite"]]
    with psycopg.connect(place, options="-c search_path=fusion_tool") as connection:
        queries = [(COUNT + name).encode() for name in TABLES["postgres"]]
        return [connection.execute(query).fetchone()[0] for query in queries]


async def aged(store, days, owner=None):
    """The id of a run whose last step was `days` ago."""
    run_id = uuid.uuid4().hex
    config = {
        "configurable": {"thread_id": run_id, "checkpoint_ns": ""},
        "metadata": {OWNER_KEY: owner} if owner else {},
    }
    born = first_id_at(time.time() - days * DAY) + "-8000-000000000000"
    await store.saver.aput(config, empty_checkpoint() | {"id": born}, {}, {})
    return run_id


async def test_runs_go_after_their_days(place):
    async with open_store(place) as store:
        old, young = await aged(store, KEEP_DAYS + 0.1), await aged(store, KEEP_DAYS - 0.1)
        assert await store.prune() == [old]
        assert await store.run_ids() == [young]


async def test_the_latest_run_comes_first(place):
    async with open_store(place) as store:
        runs = [await aged(store, days) for days in (3, 1, 2)]
        assert await store.run_ids() == [runs[1], runs[2], runs[0]]
        assert await store.run_ids(before=time.time() - 1.5 * DAY) == [runs[2], runs[0]]


async def test_a_run_at_work_is_not_pruned_and_not_deleted(place):
    async with open_store(place) as store:
        old = await aged(store, 100)
        async with store.lock(old):
            assert await store.prune() == []
            with pytest.raises(RunBusyError, match="another process"):
                await delete_runs(old, place=place)
        assert await delete_runs(older_than_days=99, place=place) == [old]
    if isinstance(place, Path):
        assert [path.name for path in place.parent.glob("*.lock")] == []


async def test_one_at_a_time_works_on_a_run(place):
    async with open_store(place) as store, open_store(place) as other:
        async with store.lock("a"), store.lock("b"):
            for one in (store, other):
                with pytest.raises(RunBusyError):
                    await one.lock("a").__aenter__()
        async with other.lock("a"):
            pass


def test_a_store_that_is_cancelled_while_it_opens_or_closes_leaves_no_thread(tmp_path):
    """Its thread would tell a loop that has closed."""

    async def use():
        async with open_store(tmp_path / "runs.sqlite"):
            pass

    async def cancel(steps):
        task = asyncio.create_task(use())
        for _ in range(steps):
            await asyncio.sleep(0.0005)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    threads = set(threading.enumerate())
    for steps in range(1, 30):
        asyncio.run(cancel(steps))
    left = [thread for thread in set(threading.enumerate()) - threads if not thread.name.startswith("asyncio_")]
    for thread in left:  # told to end, and it may have a few instructions left
        thread.join(1)
    assert [thread for thread in left if thread.is_alive()] == []


async def test_an_unknown_run_deletes_nothing(place):
    async with open_store(place) as store:
        kept = await aged(store, 1)
    with pytest.raises(ConfigError, match="no run") as refused:
        await delete_runs(kept, "unknown", place=place)
    assert ":" not in str(refused.value).partition("kept in")[2].partition("; ")[0]  # no address of a database
    assert [run.id for run in await list_runs(place)] == [kept]


async def test_of_a_finished_run_only_the_end_is_kept(place):
    results = await asyncio.gather(*(afuse(f"Question {n}?", fake_config(), keep=place) for n in range(5)))
    steps, writes, *values = counts(place)
    assert (steps, writes) == (5, 0)
    kept = await list_runs(place)
    assert {run.id for run in kept} == {result.run_id for result in results}
    assert {(run.status, run.stage) for run in kept} == {("finished", None)}
    assert [run.last_step_at for run in kept] == sorted((run.last_step_at for run in kept), reverse=True)
    await delete_runs(*(run.id for run in kept), place=place)
    assert counts(place) == [0, 0, *(0 for _ in values)]


async def test_a_result_is_read_by_the_beginning_of_its_id_and_resumed_for_nothing(place):
    first = await afuse("When?", fake_config(answer="In 1861."), keep=place)
    assert await read_result(first.run_id[:12], place) == first
    assert await afuse(resume=first.run_id[:8], keep=place) == first


async def test_a_failed_run_fails_again_with_its_reasons(place):
    with pytest.raises(PanelFailed):
        await afuse("When?", fake_config("", ""), keep=place)
    (run,) = await list_runs(place)
    assert run.status == "failed"
    with pytest.raises(PanelFailed):
        await read_result(run.id, place)


async def test_a_refused_run_leaves_nothing(place):
    with pytest.raises(ConfigError):
        await afuse("When?", fake_config(), keep=place, deny=["*"])
    assert await list_runs(place) == []


@pytest.mark.parametrize("question", ["Zero \x00 byte?", "A lone \ud800 surrogate?", "Ünïcode 漢字 🙂?"])
async def test_whatever_can_be_asked_can_be_kept(place, question, tmp_path):
    try:
        expected = await afuse(question, fake_config(answer="In 1861."), keep=tmp_path / "other.sqlite")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the same everywhere
        with pytest.raises(type(error)):
            await afuse(question, fake_config(answer="In 1861."), keep=place)
        return
    result = await afuse(question, fake_config(answer="In 1861."), keep=place)
    assert (result.question, result.answer, result.degraded) == (expected.question, expected.answer, expected.degraded)
    assert (await read_result(result.run_id, place)).question == expected.question


async def test_a_run_is_its_owners_alone(place):
    config, run_id = fake_config(answer="In 1861."), uuid.uuid4().hex
    async with stored_run(RunInput("When?").graph_input, config, (), place, run_id=run_id, owner="ada") as run:
        await run.graph.ainvoke(run.input, run.config, context=config)
    async with open_store(place) as store:
        assert await store.owner(run_id) == "ada"
        assert await store.owner("0" * 32) is None
    options = {"place": place, "open_session": None}
    assert (await resume_request(run_id, "ada", None, **options))["answer"] == "In 1861."
    with pytest.raises(ConfigError, match="of yours"):
        await resume_request(run_id, "eve", None, **options)


@pytest.mark.parametrize("row", CRAFTED)
async def test_a_crafted_row_of_the_database_costs_its_own_run_alone(database, row, monkeypatch):
    called = []
    monkeypatch.setattr("os.system", lambda *given: called.append(given))
    crafted, other = [await afuse("When?", fake_config(), keep=database) for _ in range(2)]
    kind, raw, _ = CRAFTED[row]
    with psycopg.connect(database, options="-c search_path=fusion_tool") as connection:
        query = "UPDATE checkpoint_blobs SET type = %s, blob = %s WHERE thread_id = %s"
        connection.execute(query, (kind, raw, crafted.run_id))
    assert {run.id: run.status for run in await list_runs(database)} == {
        crafted.run_id: "unreadable",
        other.run_id: "finished",
    }
    assert called == []


async def test_a_role_needs_no_right_but_those_to_its_schema(postgres, database):
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE ROLE lodger LOGIN PASSWORD 'key'")
        connection.execute("CREATE SCHEMA fusion_tool")
        connection.execute("GRANT USAGE, CREATE ON SCHEMA fusion_tool TO lodger")
        try:
            place = postgres.address(password="key").replace("fusion:", "lodger:")
            result = await afuse("When?", fake_config(answer="In 1861."), keep=place)
            assert result.degraded == []
            assert await read_result(result.run_id, place) == result
            assert (await PostgresBudgets(place).balance("nobody")).spent == Amounts()
        finally:
            connection.execute("DROP OWNED BY lodger CASCADE")
            connection.execute("DROP ROLE lodger")


async def test_a_configured_database_keeps_the_runs(database, monkeypatch):
    config = fake_config()
    named = await afuse("Named?", config.model_copy(update={"database": database}), keep=True)
    monkeypatch.setenv("FUSION_DATABASE_URL", database)
    meant = await afuse("Meant?", config, keep=True)
    asked = RunInput("Served?")
    served = await run_request(asked, config, kept_id=uuid.uuid4().hex)
    assert {run.id for run in await list_runs()} == {named.run_id, meant.run_id, served["run_id"]}


async def test_a_tool_and_a_chat_model_keep_their_runs_too(place):
    config = fake_config(answer="In 1861.")
    tool, model = FusionTool(config, keep=place), ChatFusion(config, keep=place)
    call = {"name": "fusion_research", "args": {"question": "When?"}, "id": "1", "type": "tool_call"}
    said = await tool.ainvoke(call)
    (first,) = await list_runs(place)
    assert (first.id, first.status) == (said.artifact["run_id"], "finished")
    answer = await model.ainvoke("Where?")
    latest, _ = await list_runs(place)
    assert (latest.id, latest.question) == (answer.response_metadata["run_id"], "Where?")
    assert tool.spent.seconds > 0
    assert (await afuse(resume=first.id, keep=place)).model_dump(mode="json") == said.artifact


async def test_a_tool_goes_on_from_a_run_that_another_process_kept(place):
    first = await afuse("When?", fake_config(answer="In 1861."), keep=place)
    config = fake_config(answer="At Wexmoor.")
    async with stored_run(RunInput("Hers?").graph_input, config, (), place, owner="ada") as run:
        hers = (await run.graph.ainvoke(run.input, run.config, context=config))["result"]["run_id"]

    async def go_on(run_id, **options):
        args = {"question": "Where?", "continues": run_id}
        call = {"name": "fusion_research", "args": args, "id": "1", "type": "tool_call"}
        return await FusionTool(config, **options).ainvoke(call)

    assert (await go_on(first.run_id, keep=place)).artifact["continues"] == first.run_id
    for run_id, options in ((first.run_id, {}), (first.run_id[:8], {"keep": place}), (hers, {"keep": place})):
        refused = await go_on(run_id, **options)
        assert refused.status == "error"
        assert "no earlier answer has the id" in refused.text


def test_the_commands_list_show_and_delete_what_the_database_keeps(database, monkeypatch):
    monkeypatch.setenv("FUSION_DATABASE_URL", database)
    kept = asyncio.run(afuse("When?", fake_config(answer="In 1861."), keep=True))
    listed = fusion("runs")
    assert kept.run_id[:8] in listed.stdout
    assert "kept in the database postgres on" in listed.stderr.replace("\n", " ")
    assert "In 1861." in fusion("runs", "show", kept.run_id[:8]).stdout
    assert fusion("ask", "--resume", kept.run_id[:8]).stdout == fusion("runs", "show", kept.run_id[:8]).stdout
    assert fusion("runs", "delete", kept.run_id[:8]).exit_code == 0
    assert asyncio.run(list_runs()) == []
    monkeypatch.setenv("FUSION_DATABASE_URL", AWAY)
    away = fusion("runs")
    assert away.exit_code != 0
    assert "the shared database cannot be used" in away.stderr
    assert "hunter22pass" not in away.stderr


AWAY = "postgresql://fusion:hunter22pass@/name?host=/nowhere"


async def test_without_its_database_a_new_run_goes_on_and_says_that_it_is_not_kept(caplog):
    result = await afuse("When?", fake_config(answer="In 1861."), keep=AWAY)
    assert (result.answer, result.status, result.degraded) == ("In 1861.", "ok", ["not_kept"])
    events = [event async for event in astream("When?", fake_config(), keep=AWAY)]
    assert events[-1]["result"]["degraded"] == ["not_kept"]
    assert "not kept" in caplog.text
    assert "hunter22pass" not in f"{caplog.text} {result} {events}"


@pytest.mark.parametrize("reach", [list_runs, lambda place: afuse(resume="a" * 8, keep=place)])
async def test_without_its_database_nothing_is_said_of_what_it_keeps(reach):
    with pytest.raises(DatabaseUnavailable) as refused:
        await reach(AWAY)
    assert "hunter22pass" not in str(refused.value)


def test_a_configuration_with_a_database_is_stored_without_it(database):
    config = FusionConfig(panel=["openrouter:a/b"], database=database)
    assert database not in config.model_dump_json()
