"""Runs in the shared database: any process or machine finds them there, and one at a time works on each."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from psycopg import Error

from fusion_tool.api.run_store import OWNER_KEY, RunBusyError, RunStore, first_id_at, place_name
from fusion_tool.config.database import Database, as_unavailable, cause_of, is_lost, open_database
from fusion_tool.errors import DatabaseUnavailable
from fusion_tool.tools.serializer import PlainSerializer

_PATIENCE_SECONDS = 5.0
"""How long a run that works waits for a database that is away: as long as one takes to be restarted."""
_PAUSE_SECONDS = 0.25
_TIDY_SECONDS = 3600.0
"""At most so often a process looks for runs that are too old: the look goes over all of them."""
_tidied_at: dict[str, float] = {}
_log = logging.getLogger(__name__)
T = TypeVar("T")


@asynccontextmanager
async def open_postgres(address: str) -> AsyncIterator[RunStore]:
    """Open the runs in the shared database; LangGraph's tables are made where they are missing.

    Raises:
        DatabaseUnavailable: It cannot be reached, or the tables cannot be made.
    """
    database = await open_database(address)
    await database.once("LangGraph's tables", lambda connection: AsyncPostgresSaver(connection).setup())
    yield _PostgresRuns(address, database)


class _PostgresRuns(RunStore):
    def __init__(self, address: str, database: Database) -> None:
        self._address, self._database = address, database
        self._steps = _RunSaver(database, self)
        super().__init__(place_name(address), self._steps)

    async def run_ids(self, before: float | None = None) -> list[str]:
        # As bytes: in a language's order, the ids' dashes may count for nothing.
        last = 'max(checkpoint_id COLLATE "C")'
        having = "" if before is None else f" HAVING {last} < %s"
        values = () if before is None else (first_id_at(before),)
        query = f"SELECT thread_id FROM checkpoints GROUP BY thread_id{having} ORDER BY {last} DESC"  # noqa: S608 - ours
        return [row["thread_id"] for row in await self._rows(query, *values)]

    async def owner(self, run_id: str) -> str | None:
        query = "SELECT metadata -> %s AS owner FROM checkpoints WHERE thread_id = %s AND checkpoint_ns = ''"
        rows = await self._rows(f'{query} ORDER BY checkpoint_id COLLATE "C" DESC LIMIT 1', OWNER_KEY, run_id)
        owner = rows[0]["owner"] if rows else None
        return owner if isinstance(owner, str) else None

    async def drop_intermediate_steps(self, run_id: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM checkpoint_writes WHERE thread_id = %s", (run_id,))
            await connection.execute(
                'DELETE FROM checkpoints WHERE thread_id = %(id)s AND checkpoint_id COLLATE "C" <'
                ' (SELECT max(checkpoint_id COLLATE "C") FROM checkpoints WHERE thread_id = %(id)s)',
                {"id": run_id},
            )
            # Beside the steps stand the values that they name, each version in a row of its own.
            await connection.execute(
                "DELETE FROM checkpoint_blobs AS old WHERE thread_id = %s AND NOT EXISTS (SELECT FROM checkpoints step,"
                " jsonb_each_text(step.checkpoint -> 'channel_versions') AS kept WHERE step.thread_id = old.thread_id"
                " AND step.checkpoint_ns = old.checkpoint_ns AND kept.key = old.channel AND kept.value = old.version)",
                (run_id,),
            )

    async def add_promise(self, run_id: str, terms: str) -> None:
        upsert = "INSERT INTO promises VALUES (%s, %s) ON CONFLICT (run_id) DO UPDATE SET terms = excluded.terms"
        async with self._database.transaction() as connection:
            await connection.execute(upsert, (run_id, terms))

    async def drop_promise(self, run_id: str) -> None:
        async with self._database.transaction() as connection:
            await connection.execute("DELETE FROM promises WHERE run_id = %s", (run_id,))

    async def promises(self) -> list[tuple[str, str]]:
        rows = await self._rows("SELECT run_id, terms FROM promises")
        return [(row["run_id"], row["terms"]) for row in rows]

    @asynccontextmanager
    async def lock(self, run_id: str) -> AsyncIterator[None]:
        async with self._database.lock(_lock_name(run_id)) as is_held:
            if not is_held:
                raise RunBusyError(run_id)
            yield

    async def tidy(self) -> None:
        now = time.monotonic()
        if now - _tidied_at.get(self._address, -_TIDY_SECONDS) >= _TIDY_SECONDS:
            _tidied_at[self._address] = now
            await self.prune()

    async def delete(self, run_id: str) -> None:
        with as_unavailable():
            await super().delete(run_id)

    def go_on_without(self, run_id: str) -> None:
        self._steps.working_on = run_id

    async def _rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        async with self._database.transaction() as connection:
            return await (await connection.execute(query.encode(), values)).fetchall()


def _storable(value: Any) -> Any:
    # LangGraph puts a text that is a whole value into a column of JSON, where PostgreSQL takes neither. The run reads
    # its question elsewhere, unchanged.
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def _lock_name(run_id: str) -> str:
    return f"run {run_id}"


class _RunSaver(AsyncPostgresSaver):
    """LangGraph's checkpointer. A run that works goes on where the database fails, which is then told.

    A step is written only while the run's lock is held: a database that restarts forgets its locks, and another process
    may have taken the run over.
    """

    working_on: str | None = None

    def __init__(self, database: Database, store: RunStore) -> None:
        # LangGraph's own serializer makes whatever object a row names; others may write into the database.
        super().__init__(database.pool, serde=PlainSerializer())
        self._database, self._store = database, store

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        return await self._attempt(lambda: super(_RunSaver, self).aget_tuple(config))

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        values = {name: _storable(value) for name, value in checkpoint["channel_values"].items()}
        step = checkpoint.copy()
        step["channel_values"] = values
        await self._attempt(lambda: super(_RunSaver, self).aput(config, step, metadata, new_versions))
        thread = {name: config["configurable"][name] for name in ("thread_id", "checkpoint_ns")}
        return RunnableConfig(configurable={**thread, "checkpoint_id": checkpoint["id"]})

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        await self._attempt(lambda: super(_RunSaver, self).aput_writes(config, writes, task_id, task_path))

    async def _attempt(self, work: Callable[[], Awaitable[T]]) -> T | None:
        if self.working_on is None:
            with as_unavailable():
                return await work()
        if self._store.losses:  # what came after a lost step would be of no use
            return None
        end = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                if not await self._database.holds(_lock_name(self.working_on)):
                    self._give_up("another process works on it since the database restarted")
                    return None
                return await work()
            except DatabaseUnavailable as error:
                cause, may_pass = error.cause, True
            except Error as error:
                cause, may_pass = cause_of(error), is_lost(error)
            if not may_pass or time.monotonic() > end:
                self._give_up(cause)
                return None
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._connect_again()

    async def _connect_again(self) -> None:
        try:
            await self._database.connect()
            self.conn = self._database.pool
        except DatabaseUnavailable:
            _log.debug("the shared database is still away")

    def _give_up(self, cause: str) -> None:
        self._store.losses.append(cause)
        _log.warning("run %s goes on, and is not kept from here on: %s", self.working_on, cause)
