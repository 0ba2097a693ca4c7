"""Runs in a SQLite file of the user's, the default."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from fusion_tool.api.run_store import OWNER_KEY, RunBusyError, RunStore, UnwritableError, first_id_at
from fusion_tool.config.storage import begin_log, make_private, says_corrupt, try_lock
from fusion_tool.config.system import failure_text
from fusion_tool.config.tasks import finish
from fusion_tool.errors import ConfigError

if TYPE_CHECKING:
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_PATIENCE_SECONDS = 30.0
"""How long a write waits for those of other processes."""


@asynccontextmanager
async def open_sqlite(path: Path) -> AsyncIterator[RunStore]:
    """Open the file; it is made where there is none, readable by its owner alone.

    Raises:
        ConfigError: The file is no SQLite file.
        UnwritableError: It cannot be written.
    """
    _probe(path)
    # Neither is broken off: the connection's thread would go on, and tell a loop that may have closed by then.
    opening = asyncio.ensure_future(_open(path))
    try:
        yield _SqliteRuns(path, await finish(opening))
    finally:
        if opening.done() and not opening.cancelled() and opening.exception() is None:
            await finish(asyncio.ensure_future(_close(opening.result())))


async def _open(path: Path) -> "AsyncSqliteSaver":
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from fusion_tool.tools.serializer import PlainSerializer

    connection = await aiosqlite.connect(path, timeout=_PATIENCE_SECONDS)
    try:
        # LangGraph's own serializer makes whatever object a row names; the file may come from anywhere.
        saver = AsyncSqliteSaver(connection, serde=PlainSerializer())
        await saver.setup()
        await connection.execute("CREATE TABLE IF NOT EXISTS promises (run_id TEXT PRIMARY KEY, terms TEXT NOT NULL)")
        # With a write-ahead log this survives the death of a process; only a power cut loses the last writes.
        await connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        await connection.close()
        raise
    return saver


async def _close(saver: "AsyncSqliteSaver") -> None:
    # A cancelled run may leave a write of LangGraph's under way. Closed between its insert and its commit, SQLite would
    # keep the file locked for as long as Python keeps the cursor.
    async with saver.lock:
        await saver.conn.rollback()
        await saver.conn.close()


def _probe(path: Path) -> None:
    # Before aiosqlite starts a thread, which outlives a connection that fails.
    try:
        make_private(path)
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
            begin_log(connection, _PATIENCE_SECONDS)
    except (OSError, sqlite3.Error) as error:
        if says_corrupt(error):
            cure = "move it away, and a new one is begun"
            raise ConfigError(f"runs cannot be kept in {path}: {error}; {cure}", field="keep") from error
        raise UnwritableError(f"{path}: {failure_text(error)}") from error


class _SqliteRuns(RunStore):
    def __init__(self, path: Path, saver: "AsyncSqliteSaver") -> None:
        super().__init__(str(path), saver)
        self._path, self._sqlite = path, saver

    async def run_ids(self, before: float | None = None) -> list[str]:
        # By the checkpoints' ids, which sort by time: LangGraph's table has no column for it.
        query = "SELECT thread_id FROM checkpoints GROUP BY thread_id"
        limit = "" if before is None else " HAVING max(checkpoint_id) < :limit"
        values = {} if before is None else {"limit": first_id_at(before)}
        async with self._sqlite.conn.execute(f"{query}{limit} ORDER BY max(checkpoint_id) DESC", values) as rows:
            return [row[0] async for row in rows]

    async def owner(self, run_id: str) -> str | None:
        # The column alone, which is JSON: the step beside it may hold anything.
        query = (
            "SELECT metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY checkpoint_id DESC"
        )
        async with self._sqlite.conn.execute(f"{query} LIMIT 1", (run_id,)) as rows:
            row = await rows.fetchone()
        try:
            metadata = json.loads(row[0]) if row else {}
        except (TypeError, ValueError):
            return None
        owner = metadata.get(OWNER_KEY) if isinstance(metadata, dict) else None
        return owner if isinstance(owner, str) else None

    async def drop_intermediate_steps(self, run_id: str) -> None:
        # The saver's own lock: the connection is one, and may be in a write of LangGraph's.
        async with self._sqlite.lock:
            await self._sqlite.conn.execute("DELETE FROM writes WHERE thread_id = ?", (run_id,))
            await self._sqlite.conn.execute(
                "DELETE FROM checkpoints WHERE thread_id = :id AND checkpoint_id <"
                " (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = :id)",
                {"id": run_id},
            )
            await self._sqlite.conn.commit()

    async def add_promise(self, run_id: str, terms: str) -> None:
        await self._change("INSERT OR REPLACE INTO promises VALUES (?, ?)", run_id, terms)

    async def drop_promise(self, run_id: str) -> None:
        await self._change("DELETE FROM promises WHERE run_id = ?", run_id)

    async def promises(self) -> list[tuple[str, str]]:
        async with self._sqlite.conn.execute("SELECT run_id, terms FROM promises") as rows:
            return [(row[0], row[1]) async for row in rows]

    async def _change(self, statement: str, *values: str) -> None:
        async with self._sqlite.lock:
            await self._sqlite.conn.execute(statement, values)
            await self._sqlite.conn.commit()

    @asynccontextmanager
    async def lock(self, run_id: str) -> AsyncIterator[None]:
        # The lock's file is deleted with the lock. Whoever opened it before that finds the run finished, deleted or
        # left by its owner.
        file = self._path.with_name(f"{self._path.name}-{run_id}.lock")
        connection = try_lock(file)
        if connection is None:
            raise RunBusyError(run_id)
        with closing(connection):
            yield
        # Best effort: another process may have taken the lock by now, and Windows refuses to delete a file in use.
        with suppress(OSError):
            file.unlink()

    async def tidy(self) -> None:
        await self.prune()
