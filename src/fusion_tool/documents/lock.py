"""A lock between processes, threads and event loops: an exclusive transaction on an empty SQLite file.

SQLite knows how to lock on every system, and a process that dies lets go.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

_POLL_SECONDS = 0.02


@asynccontextmanager
async def exclusively(path: Path) -> AsyncIterator[None]:
    """Hold the lock at `path`; waits as long as somebody else does, and can be cancelled meanwhile."""
    while (connection := await asyncio.to_thread(_acquired, path)) is None:  # noqa: ASYNC110 - no event crosses processes
        await asyncio.sleep(_POLL_SECONDS)
    with closing(connection):
        yield


def _acquired(path: Path) -> sqlite3.Connection | None:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        match error.sqlite_errorcode & 0xFF:
            case sqlite3.SQLITE_BUSY:
                return None
            case sqlite3.SQLITE_NOTADB:  # nobody can hold a lock on what is no database
                path.unlink(missing_ok=True)
                return None
        raise
    return connection
