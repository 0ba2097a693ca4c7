"""One process at a time works on a run: an exclusive transaction on an empty SQLite file of the run's own.

SQLite knows how to lock on every system, and a process that dies lets go.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from fusion_tool.errors import ConfigError


class Busy(ConfigError):  # noqa: N818 - it is a `ConfigError` to the caller
    """Another process, or another task of this one, works on the run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run {run_id} is being worked on by another process", field="resume")


@contextmanager
def working_on(run_id: str, path: Path) -> Iterator[None]:
    """Work on `run_id`, kept in `path`, and nobody else.

    The lock's file goes with the lock. Whoever took hold of it before it went finds the run finished or deleted, or
    left by the one who held it: what is done with a run is read under the lock.

    Raises:
        Busy: Somebody else does.
    """
    file = path.with_name(f"{path.name}-{run_id}.lock")
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            raise Busy(run_id) from None
        yield
    with suppress(OSError):
        file.unlink()
