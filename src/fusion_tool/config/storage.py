"""The package's files on the user's disk: their places, TOML files, small SQLite databases, locks between processes.

A database is made where it is missing, set aside where it is corrupt, and readable by its owner alone. A lock is an
exclusive transaction on an empty SQLite file: SQLite can lock on every system, and the system itself releases the lock
of a process that dies.
"""

import asyncio
import logging
import os
import sqlite3
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from fusion_tool.errors import ConfigError

_APP = "fusion-tool"
_FILE_MODE, _FOLDER_MODE, _OTHERS_BITS = 0o600, 0o700, 0o077
_SIDE_FILES = ("-wal", "-shm", "-journal")
"""Suffixes of the files that SQLite puts beside a database; only new ones get the database's mode."""
_log = logging.getLogger(__name__)


def data_path(name: str = "") -> Path:
    """Return the path of `name` in the user's data folder, for what cannot be made again."""
    return platformdirs.user_data_path(_APP) / name


def cache_path(name: str = "") -> Path:
    """Return the path of `name` in the user's cache folder, for what may be deleted at any time."""
    return platformdirs.user_cache_path(_APP) / name


def config_path(name: str = "") -> Path:
    """Return the path of `name` in the user's configuration folder, for what the user writes."""
    return _config_folder(*map(os.environ.get, ("XDG_CONFIG_HOME", "HOME"))) / name


# By the variables that place it: keys are looked up for every call, and the library goes through its rules each time.
@lru_cache(maxsize=8)
def _config_folder(*_: str | None) -> Path:
    return platformdirs.user_config_path(_APP)


def modified_at(path: Path) -> int | None:
    """Return when the file was last written, in nanoseconds; `None` where there is none.

    Raises:
        ConfigError: It cannot be examined.
    """
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def read_toml(path: Path, *, field: str | None = None) -> dict[str, Any]:
    """Read a TOML file of the user's.

    Args:
        path: The file.
        field: The setting that named it, for the error; `None` where none did.

    Raises:
        ConfigError: It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))  # editors on Windows begin a file with a mark
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", field=field) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; save it in that encoding", field=field) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", field=field) from None


def write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner may read; its folders are made where they are missing.

    Raises:
        OSError: It cannot be written; the old one then stands as it was.
    """
    make_private_folder(path.parent)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", delete=False) as file:  # made with 0600
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            # A link is followed: whoever keeps the file elsewhere keeps it there.
            Path(file.name).replace(path.resolve())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def make_private(path: Path) -> None:
    """Make the file where it is missing, with its folders; close an existing one to others, with what is beside it.

    Raises:
        OSError: It cannot be made.
    """
    make_private_folder(path.parent)
    # Before SQLite opens it, which would make it by the umask: readable by everybody, on most systems.
    path.touch(mode=_FILE_MODE)
    for file in (path, *(path.with_name(path.name + suffix) for suffix in _SIDE_FILES)):
        _close_to_others(file, _FILE_MODE)


def make_private_folder(folder: Path) -> None:
    """Make the folder where it is missing; close an existing one to others where it is the package's own.

    Raises:
        OSError: It cannot be made.
    """
    lineage = (folder, *folder.parents)
    # One by one: `mkdir(parents=True)` applies the mode to the last folder alone.
    for missing in reversed([level for level in lineage if not level.exists()]):
        missing.mkdir(mode=_FOLDER_MODE, exist_ok=True)
    folder.mkdir(exist_ok=True)  # an error where a file stands in its place
    # Any other folder was named by the user, who may share it on purpose.
    own_roots = {cache_path(), data_path()}
    if roots := own_roots.intersection(lineage):
        for level in lineage[: lineage.index(roots.pop()) + 1]:
            _close_to_others(level, _FOLDER_MODE)


def _close_to_others(path: Path, mode: int) -> None:
    try:
        # Only where others may do something: the user may have closed it further, and `chmod` would undo that.
        if path.stat().st_mode & _OTHERS_BITS:
            path.chmod(mode)
    except FileNotFoundError:
        pass
    except PermissionError:
        _log.warning("others than its owner may read %s, and it is not ours to close", path)


def try_lock(path: Path) -> sqlite3.Connection | None:
    """Return a connection that holds the lock at `path` until it is closed; `None` where somebody else holds it.

    Raises:
        OSError: The file cannot be made.
        sqlite3.Error: It cannot be opened or written.
    """
    make_private(path)
    # `isolation_level=None` keeps the module from its own transactions; the thread that closes it may be another one.
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        # The low byte is the kind of error; the higher ones only say which of its cases it is.
        match error.sqlite_errorcode & 0xFF:
            case sqlite3.SQLITE_BUSY:
                return None
            case sqlite3.SQLITE_NOTADB:  # nobody can hold a lock on what is no database
                path.unlink(missing_ok=True)
                return None
        raise
    return connection


T = TypeVar("T")

STORAGE_ERRORS = (OSError, sqlite3.Error)
"""The errors of a file that is locked, read-only, on a full disk, or otherwise of no use now."""

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def with_database(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], *, patience: float = 5.0) -> T:
    """Return what `work` returns; either all of its changes are made or none.

    A corrupt file is renamed to `*.corrupt`, with a warning, and a new one begun.

    Args:
        path: The file, made with its folders where it is missing.
        schema: Statements that may be run again, such as `CREATE TABLE IF NOT EXISTS`.
        work: Gets a connection, and is called once more where the file was set aside. It must write before it reads:
            a transaction that has read fails at once where another one writes, instead of waiting for it.
        patience: Seconds to wait while other threads and processes write.

    Raises:
        OSError: The folder or the file cannot be made.
        sqlite3.Error: The file is locked for longer, read-only, full, or of another shape.
    """
    try:
        return _run_in_database(path, schema, work, patience)
    except sqlite3.DatabaseError as error:
        if not says_corrupt(error):
            raise
    _set_aside(path)
    return _run_in_database(path, schema, work, patience)


def _run_in_database(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], patience: float) -> T:
    make_private(path)
    with closing(sqlite3.connect(path, timeout=patience)) as connection:
        begin_log(connection, patience)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(schema)
        # This context commits or rolls back, and leaves the connection open: hence the outer one.
        with connection:
            return work(connection)


def begin_log(connection: sqlite3.Connection, patience: float) -> None:
    """Give a database a write-ahead log: nobody who reads waits for a writer, only a power cut loses the last writes.

    Args:
        connection: A connection to it.
        patience: Seconds to wait while another one does the same.

    Raises:
        sqlite3.OperationalError: The file is locked for longer, read-only or full.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Of several who begin a file at once SQLite refuses all but one at once, whatever the connection's timeout.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
        else:
            return


def _set_aside(path: Path) -> None:
    # A file of its own: a corrupt database takes no lock.
    file = path.with_name(f"{path.name}.lock")
    lock = try_lock(file)
    if lock is None:
        raise sqlite3.OperationalError(f"{path} is corrupt, and another process is setting it aside")
    with closing(lock):
        if not _is_sound(path):  # else another process was first, and this would throw its new file away
            _begin_anew(path)
        with suppress(OSError):  # while it is held: afterwards the lock may be another process's
            file.unlink()


def _begin_anew(path: Path) -> None:
    aside = path.with_name(f"{path.name}.corrupt")
    # SQLite would replay the old file's log into the new one. It goes first: once the name is free, the next to come
    # begins a new file there, with a log of its own.
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.replace(aside)
    _log.warning("%s was corrupt: it is now %s, and a new one is begun", path, aside)


def _is_sound(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
    except sqlite3.DatabaseError as error:
        return not says_corrupt(error)


def says_corrupt(error: Exception) -> bool:
    """Tell whether an error of a database says that its file is damaged, or no database."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


_POLL_SECONDS = 0.02


@asynccontextmanager
async def wait_for_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock at `path` while the context is open; wait for it as long as it takes, unless cancelled."""
    # Polled: SQLite's own wait would hold a thread that no cancellation ends.
    while (connection := await asyncio.to_thread(try_lock, path)) is None:  # noqa: ASYNC110 - no event crosses processes
        await asyncio.sleep(_POLL_SECONDS)
    with closing(connection):
        yield
