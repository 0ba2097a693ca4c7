"""The shared database: its address, which shows no password; its tables, made once; its locks, between loops."""

import asyncio
import gc
import subprocess
import sys
import threading
from contextlib import AsyncExitStack, suppress

import psycopg
import pytest

from fusion_tool.config.database import Database, connection, database_address, open_database, read_state, tables
from fusion_tool.config.keys import scrub
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import dump_config, load_stored_config, require_same_config
from fusion_tool.errors import ConfigError, DatabaseUnavailable
from tests.postgres import Postgres

ADDRESS = "postgresql://fusion:pa%2Fss-word@db.example:5432/fusion"
PANEL = ["openrouter:a/b"]


def test_the_configurations_address_comes_before_the_environments(monkeypatch):
    assert database_address() is None
    monkeypatch.setenv("FUSION_DATABASE_URL", f" {ADDRESS} ")
    assert database_address() == database_address(FusionConfig(panel=PANEL)) == ADDRESS
    assert database_address(FusionConfig(panel=PANEL, database="postgresql://other/name")) == "postgresql://other/name"


@pytest.mark.parametrize("value", ["mysql://u:hunter22@h/n", "hunter22", "postgresql", "postgresql://[hunter22/n"])
def test_what_is_no_address_is_refused_and_not_repeated(value, monkeypatch):
    with pytest.raises(ConfigError) as refused:
        FusionConfig(panel=PANEL, database=value)
    assert refused.value.field == "database"
    monkeypatch.setenv("FUSION_DATABASE_URL", value)
    with pytest.raises(ConfigError) as unset:
        database_address()
    assert unset.value.field == "FUSION_DATABASE_URL"
    assert "hunter22" not in f"{refused.value} {unset.value}"


def test_a_password_is_shown_nowhere_and_stored_with_no_run():
    config = FusionConfig(panel=PANEL, database=ADDRESS)
    stored = dump_config(config)
    assert "database" not in stored
    assert "db.example" not in f"{config!r} {config} {config.model_dump_json()}"
    require_same_config(config, stored)
    assert load_stored_config(stored).database is None
    assert scrub("at pa/ss-word, pa%2Fss-word and " + ADDRESS) == "at [secret], [secret] and [secret]"


def test_psycopg_is_not_imported_where_no_address_is_set():
    program = (
        "import sys, asyncio, fusion_tool\n"
        "from fusion_tool.config.database import database_address\n"
        "from fusion_tool.testing import fake_config\n"
        "from fusion_tool.servers.agent_server import load_operator_config\n"
        "import fusion_tool.api.runner, fusion_tool.api.stored_runs, fusion_tool.cli.doctor_database as doctor\n"
        "assert asyncio.run(doctor.database()) == []\n"
        "assert database_address() is None\n"
        "print([name for name in sys.modules if 'psycopg' in name or 'checkpoint.postgres' in name])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


async def test_ten_loops_that_begin_at_once_make_the_tables_once(database, monkeypatch):
    monkeypatch.setattr(tables, "STEPS", ("CREATE TABLE first (a int)", "INSERT INTO first VALUES (1)"))

    async def begin() -> list[int]:
        shared = await open_database(database)
        async with shared.transaction() as connection:
            rows = await (await connection.execute("SELECT a FROM first")).fetchall()
        return [row["a"] for row in rows]

    found = await asyncio.gather(*(asyncio.to_thread(lambda: asyncio.run(begin())) for _ in range(10)))
    assert found == [[1]] * 10


async def test_a_newer_version_makes_the_steps_that_are_missing(database, monkeypatch):
    monkeypatch.setattr(tables, "STEPS", ("CREATE TABLE first (a int)",))
    monkeypatch.setattr("fusion_tool.config.database.shared.STEPS", ("one", "two"))
    assert (await read_state(database))[1] == 2
    await asyncio.to_thread(lambda: asyncio.run(_touch(database)))
    assert (await read_state(database))[1] == 1
    monkeypatch.setattr(tables, "STEPS", (*tables.STEPS, "ALTER TABLE first ADD b int"))
    await asyncio.to_thread(lambda: asyncio.run(_touch(database)))
    assert (await read_state(database))[1] == 0


async def _touch(database: str) -> None:
    await open_database(database)


async def test_a_transaction_makes_all_of_its_changes_or_none(database):
    shared = await open_database(database)
    async with shared.transaction() as connection:
        await connection.execute("CREATE TABLE kept (a int)")

    async def fail() -> None:
        async with shared.transaction() as connection:
            await connection.execute("INSERT INTO kept VALUES (1)")
            await connection.execute("SELECT * FROM lost")

    with pytest.raises(DatabaseUnavailable, match="lost"):
        await fail()
    async with shared.transaction() as connection:
        assert await (await connection.execute("SELECT * FROM kept")).fetchall() == []


async def test_a_lock_is_held_by_one_of_all_loops_and_ends_with_its_holder(database):
    here = await open_database(database)

    def elsewhere(wait_seconds: float = 0.0) -> bool:
        async def attempt() -> bool:
            async with (await open_database(database)).lock("run", wait_seconds=wait_seconds) as is_held:
                return is_held

        return asyncio.run(attempt())

    async with here.lock("run") as is_held, here.lock("run") as again, here.lock("other") as other:
        assert (is_held, again, other) == (True, False, True)
        assert not await asyncio.to_thread(elsewhere)
        assert await here.holds("run")
    assert await asyncio.to_thread(elsewhere)
    async with AsyncExitStack() as held:
        await held.enter_async_context(here.lock("run"))
        waiting = asyncio.ensure_future(asyncio.to_thread(elsewhere, 20))
        await asyncio.wait([waiting], timeout=0.2)
        assert not waiting.done()
        await held.aclose()
        assert await waiting


async def test_of_many_tasks_that_want_one_lock_at_once_one_has_it(database):
    shared = await open_database(database)
    release = asyncio.Event()

    async def attempt() -> bool:
        async with shared.lock("run") as is_held:
            if is_held:
                await release.wait()
            return is_held

    tasks = [asyncio.ensure_future(attempt()) for _ in range(20)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    while sum(task.done() for task in tasks) < 19:
        await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)
    release.set()
    assert sorted(await asyncio.gather(*tasks)) == [False] * 19 + [True]


async def test_a_database_that_restarts_is_used_again_and_its_locks_are_taken_again():
    server = Postgres().start()
    try:
        address = server.address()
        shared = await open_database(address)
        async with shared.lock("run") as is_held:
            assert is_held
            await asyncio.to_thread(server.kill)
            with pytest.raises(DatabaseUnavailable):
                async with shared.transaction() as connection:
                    await connection.execute("SELECT 1")
            with pytest.raises(DatabaseUnavailable, match="failed"):
                await open_database(address)
            with pytest.raises(DatabaseUnavailable):
                await shared.holds("run")
            await asyncio.to_thread(server.start)
            assert await shared.holds("run")
            async with (await open_database(address)).transaction() as connection:
                locks = await (
                    await connection.execute("SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory'")
                ).fetchone()
            assert locks == {"held": 1}
    finally:
        await asyncio.to_thread(server.remove)


async def _connect(shared: Database) -> None:
    async with shared.transaction():
        pass


async def _lock(shared: Database) -> None:
    async with shared.lock("run"):
        pass


@pytest.mark.parametrize(
    ("before", "interrupted"),
    [(None, _connect), (_connect, _connect), (None, _lock), (_lock, _lock)],
    ids=["connects", "makes a statement", "connects for a lock", "takes a lock"],
)
def test_a_loop_that_is_interrupted_ends_though_its_database_is_silent(postgres, database, before, interrupted):
    is_silent = threading.Event()

    async def work() -> None:
        shared = await open_database(database)
        if before:
            await before(shared)
        postgres.pause()
        is_silent.set()
        async with asyncio.timeout(0.2):
            await interrupted(shared)

    def run() -> None:
        with suppress(TimeoutError):
            asyncio.run(work())

    loop = threading.Thread(target=run, daemon=True)
    try:
        loop.start()
        assert is_silent.wait(timeout=60)
        loop.join(timeout=5)  # psycopg alone waits ten seconds for a statement, and for ever for a connection
        assert not loop.is_alive()
    finally:
        postgres.resume()


async def test_a_connection_that_cannot_be_set_up_is_closed(database, monkeypatch):
    monkeypatch.setattr(connection, "SCHEMA", "two words")
    with pytest.raises(psycopg.Error):
        await connection.connect(database)
    gc.collect()  # psycopg warns of one that is dropped while it is open, and warnings are errors here


async def test_a_wrong_password_is_named_and_not_shown(postgres):
    with pytest.raises(DatabaseUnavailable) as refused:
        await open_database(postgres.address(password="wrong-pass%20word"))
    assert "authentication failed for user" in str(refused.value)
    assert "wrong-pass" not in str(refused.value)
