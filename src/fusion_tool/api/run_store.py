"""Stored runs: the SQLite file that they are in, a lock for each, their ids, and their deletion."""

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fusion_tool.config.storage import begin_log, data_path, make_private, says_corrupt, try_lock
from fusion_tool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_PATIENCE_SECONDS = 30.0
"""How long a write waits for those of other processes."""


def default_path() -> Path:
    """Return `runs.sqlite` in the user's data folder."""
    return data_path("runs.sqlite")


@asynccontextmanager
async def open_store(path: Path) -> "AsyncIterator[AsyncSqliteSaver]":
    """Open the file as a checkpointer; it is made where there is none, readable by its owner alone.

    Raises:
        ConfigError: The file cannot be written, or is no SQLite file.
    """
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from fusion_tool.tools.serializer import PlainSerializer

    _probe(path)
    async with aiosqlite.connect(path, timeout=_PATIENCE_SECONDS) as connection:
        # LangGraph's own serializer makes whatever object a row names; the file may come from anywhere.
        saver = AsyncSqliteSaver(connection, serde=PlainSerializer())
        await saver.setup()
        # With a write-ahead log this survives the death of a process; only a power cut loses the last writes.
        await connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield saver
        finally:
            # A cancelled run may leave a write of LangGraph's under way. Closed between its insert and its commit,
            # SQLite would keep the file locked for as long as Python keeps the cursor.
            async with saver.lock:
                await connection.rollback()
                await connection.close()


def _probe(path: Path) -> None:
    # Before aiosqlite starts a thread, which outlives a connection that fails.
    try:
        make_private(path)
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
            begin_log(connection, _PATIENCE_SECONDS)
    except (OSError, sqlite3.Error) as error:
        cure = "move it away, and a new one is begun" if says_corrupt(error) else "make room for it, or keep nothing"
        raise ConfigError(f"runs cannot be kept in {path}: {error}; {cure}", field="keep") from error


class RunBusyError(ConfigError):
    """Another process, or another task of this one, is working on the run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} is being worked on by another process", field="resume")


@contextmanager
def run_lock(run_id: str, path: Path) -> Iterator[None]:
    """Hold the lock of run `run_id` in `path`.

    The lock's file is deleted with the lock. Whoever opened it before that finds the run finished, deleted or left
    by its owner: what is done with a run is read under the lock.

    Raises:
        RunBusyError: Another process or task holds it.
    """
    file = path.with_name(f"{path.name}-{run_id}.lock")
    connection = try_lock(file)
    if connection is None:
        raise RunBusyError(run_id)
    with closing(connection):
        yield
    # Best effort: another process may have taken the lock by now, and Windows refuses to delete a file in use.
    with suppress(OSError):
        file.unlink()


KEEP_DAYS = 30.0
"""Days after its last step for which a run is kept, where nobody deletes it."""
_DAY_SECONDS = 86_400
_UUID_EPOCH = 0x01B21DD213814000


def match_run_id(beginning: str, stored_ids: Sequence[str], path: Path, *, field: str | None = None) -> str:
    """Return the id of the one stored run whose id begins with `beginning`.

    Args:
        beginning: An id, or as much of it as no other run's begins with.
        stored_ids: The ids of the stored runs.
        path: The file that they are in, for the error.
        field: The setting that named it, for the error; `None` where none did.

    Raises:
        ConfigError: There is none, or several.
    """
    found = [run_id for run_id in stored_ids if beginning and run_id.startswith(beginning.strip().lower())]
    if not found:
        raise ConfigError(f"no run {beginning[:80]!r} is kept in {path}; 'fusion-tool runs' lists them", field=field)
    if len(found) > 1:
        some = ", ".join(found[:_MOST_NAMED]) + (", ..." if len(found) > _MOST_NAMED else "")
        raise ConfigError(f"{len(found)} runs have an id that begins with {beginning!r}: {some}", field=field)
    return found[0]


_MOST_NAMED = 3


async def delete_runs(*run_ids_: str, older_than_days: float | None = None, path: Path | None = None) -> Sequence[str]:
    """Delete runs by id, and those whose last step is too long ago.

    Args:
        run_ids_: The ids of the runs to delete, or their beginnings.
        older_than_days: Days since the last step, above which others go too, unless they are running; `None` deletes
            no others.
        path: The SQLite file; by default that of the user's data folder.

    Returns:
        The ids of the deleted runs.

    Raises:
        ConfigError: There is no such run, or it is being worked on.
    """
    path = path or default_path()
    if not path.exists() and not run_ids_:
        return []
    async with open_store(path) as saver:
        stored_ids = await run_ids(saver)
        # All ids are checked before the first run goes: a mistyped one must not leave half of the command done.
        named = dict.fromkeys(match_run_id(run_id, stored_ids, path, field="runs") for run_id in run_ids_)
        for run_id in named:
            with run_lock(run_id, path):
                await saver.adelete_thread(run_id)
        old = [] if older_than_days is None else await prune_runs(saver, path, older_than_days)
    return [*named, *old]


async def prune_runs(saver: "AsyncSqliteSaver", path: Path, days: float = KEEP_DAYS) -> list[str]:
    """Delete the runs whose last step is more than `days` ago, unless they are running."""
    deleted = []
    for run_id in await run_ids(saver, before=time.time() - days * _DAY_SECONDS):
        # Under its lock: a run that is being resumed would write its next step beside rows that are gone.
        try:
            with run_lock(run_id, path):
                await saver.adelete_thread(run_id)
        except RunBusyError:
            continue
        deleted.append(run_id)
    return deleted


async def run_ids(saver: "AsyncSqliteSaver", before: float | None = None) -> list[str]:
    """Return the ids of the stored runs, the latest first.

    Args:
        saver: The open file.
        before: Unix time before which the last step must lie; `None` for all.
    """
    # By the checkpoints' ids, which sort by time: LangGraph's table has no column for it.
    query = "SELECT thread_id FROM checkpoints GROUP BY thread_id"
    limit = "" if before is None else " HAVING max(checkpoint_id) < :limit"
    values = {} if before is None else {"limit": _first_id_at(before)}
    async with saver.conn.execute(f"{query}{limit} ORDER BY max(checkpoint_id) DESC", values) as rows:
        return [row[0] async for row in rows]


OWNER_KEY = "fusion_owner"
"""The key of the steps' metadata under which a run that a server keeps names its caller."""


async def run_owner(saver: "AsyncSqliteSaver", run_id: str) -> str | None:
    """Return for whom a server keeps a run; `None` for the user's own, and where there is no such run."""
    # The column alone, which is JSON: the step beside it may hold anything.
    query = "SELECT metadata FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = '' ORDER BY checkpoint_id DESC"
    async with saver.conn.execute(f"{query} LIMIT 1", (run_id,)) as rows:
        row = await rows.fetchone()
    try:
        metadata = json.loads(row[0]) if row else {}
    except (TypeError, ValueError):
        return None
    owner = metadata.get(OWNER_KEY) if isinstance(metadata, dict) else None
    return owner if isinstance(owner, str) else None


async def drop_intermediate_steps(saver: "AsyncSqliteSaver", run_id: str) -> None:
    """Delete the steps before a finished run's last: each of them holds everything that was read until then."""
    # The saver's own lock: the connection is one, and may be in a write of LangGraph's.
    async with saver.lock:
        await saver.conn.execute("DELETE FROM writes WHERE thread_id = ?", (run_id,))
        await saver.conn.execute(
            "DELETE FROM checkpoints WHERE thread_id = :id AND checkpoint_id <"
            " (SELECT max(checkpoint_id) FROM checkpoints WHERE thread_id = :id)",
            {"id": run_id},
        )
        await saver.conn.commit()


async def state_of(graph: Any, run_id: str) -> Any:
    """Return the state of a stored run, as LangGraph gives it.

    Raises:
        ConfigError: Its rows are no plain data, or broken.
    """
    try:
        return await graph.aget_state({"configurable": {"thread_id": run_id}})
    except Exception as error:  # a row is data: it may hold anything
        reason = error.message if isinstance(error, ConfigError) else f"it is broken ({type(error).__name__})"
        raise ConfigError(f"run {run_id} cannot be read: {reason}", field="resume") from error


def _first_id_at(unix: float) -> str:
    """Return the text after which the ids of checkpoints sort that were made since `unix`: UUIDs version 6.

    Source: RFC 9562, section 5.6.
    """
    ticks = int(unix * 10_000_000) + _UUID_EPOCH
    return f"{ticks >> 28:08x}-{ticks >> 12 & 0xFFFF:04x}-6{ticks & 0xFFF:03x}"
