"""Small SQLite files of the user's: made where missing, set aside where corrupt, readable by their owner alone."""

import logging
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from fusion_tool.lock import acquired
from fusion_tool.private import make_private

T = TypeVar("T")

UNUSABLE = (OSError, sqlite3.Error)
"""What a file raises that is locked, read-only, on a full disk, or otherwise of no use now."""

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_log = logging.getLogger(__name__)


def in_database(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], *, patience: float = 5.0) -> T:
    """What `work` returns, all of whose changes are made or none.

    A corrupt file is renamed to `*.corrupt`, with a warning, and a new one begun.

    Args:
        path: The file, made with its folders where it is missing.
        schema: Statements that may be run again, such as `CREATE TABLE IF NOT EXISTS`.
        work: Gets a connection, and is called once more where the file was set aside. Where it writes, that comes
            before it reads: SQLite lets no reader wait for its turn to write.
        patience: Seconds to wait for what other threads and processes write.

    Raises:
        OSError: The folder or the file cannot be made.
        sqlite3.Error: The file is locked for longer, read-only, full, or of another shape.
    """
    try:
        return _within(path, schema, work, patience)
    except sqlite3.DatabaseError as error:
        if not _says_corrupt(error):
            raise
    _set_aside(path)
    return _within(path, schema, work, patience)


def _within(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], patience: float) -> T:
    make_private(path)
    with closing(sqlite3.connect(path, timeout=patience)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # only a power cut loses the last writes
        connection.executescript(schema)
        with connection:
            return work(connection)


def _set_aside(path: Path) -> None:
    file = path.with_name(f"{path.name}.lock")
    lock = acquired(file)
    if lock is None:
        raise sqlite3.OperationalError(f"{path} is corrupt, and another process is setting it aside")
    with closing(lock):
        if not _is_sound(path):  # else another process was first
            _begin_anew(path)
        with suppress(OSError):  # while it is held: afterwards it may be somebody else's
            file.unlink()


def _begin_anew(path: Path) -> None:
    aside = path.with_name(f"{path.name}.corrupt")
    path.replace(aside)
    for suffix in ("-wal", "-shm"):  # a new file must not inherit the old one's log
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    _log.warning("%s was corrupt: it is now %s, and a new one is begun", path, aside)


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return not _says_corrupt(error)


def _says_corrupt(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT
