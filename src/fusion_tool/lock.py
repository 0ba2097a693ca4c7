"""A lock between processes, threads and event loops: an exclusive transaction on an empty SQLite file.

SQLite knows how to lock on every system, and a process that dies lets go.
"""

import sqlite3
from pathlib import Path

from fusion_tool.private import make_private


def acquired(path: Path) -> sqlite3.Connection | None:
    """The connection that holds the lock at `path` until it is closed; `None` where somebody else does.

    Raises:
        OSError: The file cannot be made.
        sqlite3.Error: It cannot be opened or written.
    """
    make_private(path)
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
