"""The user's files: where they are, TOML that is read, small SQLite databases, and locks between processes.

A database is made where it is missing, set aside where it is corrupt, and readable by its owner alone. A lock is an
exclusive transaction on an empty SQLite file: SQLite knows how to lock on every system, and a process that dies
releases it.
"""

import asyncio
import logging
import sqlite3
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import platformdirs

from fusion_tool.errors import ConfigError

_APP = "fusion-tool"
_FILE, _FOLDER, _OTHERS = 0o600, 0o700, 0o077
_SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, with the database's own mode where it is new."""
_log = logging.getLogger(__name__)


def data_path(name: str = "") -> Path:
    """Return the path of `name` in the user's data folder: what cannot be made again."""
    return platformdirs.user_data_path(_APP) / name


def cache_path(name: str = "") -> Path:
    """Return the path of `name` in the user's cache folder: what may be deleted at any time."""
    return platformdirs.user_cache_path(_APP) / name


def config_path(name: str = "") -> Path:
    """Return the path of `name` in the user's configuration folder: what the user writes."""
    return platformdirs.user_config_path(_APP) / name


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
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}", field=field) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}", field=field) from None


def make_private(path: Path) -> None:
    """Make the file where it is missing, with its folders; tighten an existing one, and what SQLite put beside it.

    Raises:
        OSError: It cannot be made.
    """
    make_private_folder(path.parent)
    path.touch(mode=_FILE)
    for file in (path, *(path.with_name(path.name + suffix) for suffix in _SIDE_FILES)):
        _tighten(file, _FILE)


def make_private_folder(folder: Path) -> None:
    """Make the folder where it is missing; tighten an existing one where it is the package's own.

    Raises:
        OSError: It cannot be made.
    """
    lineage = (folder, *folder.parents)
    for missing in reversed([level for level in lineage if not level.exists()]):
        missing.mkdir(mode=_FOLDER, exist_ok=True)
    folder.mkdir(exist_ok=True)  # an error where a file stands in its place
    own = {cache_path(), data_path()}
    if roots := own.intersection(lineage):
        for level in lineage[: lineage.index(roots.pop()) + 1]:
            _tighten(level, _FOLDER)


def _tighten(path: Path, mode: int) -> None:
    try:
        if path.stat().st_mode & _OTHERS:
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


T = TypeVar("T")

STORAGE_ERRORS = (OSError, sqlite3.Error)
"""What a file raises that is locked, read-only, on a full disk, or otherwise of no use now."""

_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def with_database(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], *, patience: float = 5.0) -> T:
    """Return what `work` returns; either all of its changes are made or none.

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
        return _run_in_database(path, schema, work, patience)
    except sqlite3.DatabaseError as error:
        if not _says_corrupt(error):
            raise
    _set_aside(path)
    return _run_in_database(path, schema, work, patience)


def _run_in_database(path: Path, schema: str, work: Callable[[sqlite3.Connection], T], patience: float) -> T:
    make_private(path)
    with closing(sqlite3.connect(path, timeout=patience)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")  # only a power cut loses the last writes
        connection.executescript(schema)
        with connection:
            return work(connection)


def _set_aside(path: Path) -> None:
    file = path.with_name(f"{path.name}.lock")
    lock = try_lock(file)
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


_POLL_SECONDS = 0.02


@asynccontextmanager
async def wait_for_lock(path: Path) -> AsyncIterator[None]:
    """Hold the lock at `path`; waits as long as somebody else does, and can be cancelled meanwhile."""
    while (connection := await asyncio.to_thread(try_lock, path)) is None:  # noqa: ASYNC110 - no event crosses processes
        await asyncio.sleep(_POLL_SECONDS)
    with closing(connection):
        yield
