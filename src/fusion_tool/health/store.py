"""The file of outcomes in the user's data folder."""

import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from fusion_tool.database import in_database
from fusion_tool.health.outcome import Outcome

KEEP_DAYS = 90
"""How long an outcome is kept."""
_MOST_ROWS = 500_000
"""Some 50 MB; a busy server keeps less than the days."""
_DAY_SECONDS = 86_400
_COLUMNS = ", ".join(Outcome._fields)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outcomes (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, reason TEXT, seconds REAL NOT NULL, first_token_seconds REAL,
    cost_usd REAL, input_tokens INTEGER, output_tokens INTEGER, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_at ON outcomes (at);
"""


def default_path() -> Path:
    """`health.sqlite` in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("fusion-tool") / "health.sqlite"


def append(path: Path, outcomes: Sequence[Outcome], *, patience: float = 5.0) -> None:
    """Write down `outcomes`, and forget those that are too old.

    Raises:
        OSError: As `in_database`.
        sqlite3.Error: Likewise.
    """

    def write(connection: sqlite3.Connection) -> None:
        marks = ", ".join("?" * len(Outcome._fields))
        connection.executemany(f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({marks})", outcomes)  # noqa: S608 - constants
        connection.execute("DELETE FROM outcomes WHERE at < ?", (time.time() - KEEP_DAYS * _DAY_SECONDS,))
        connection.execute("DELETE FROM outcomes WHERE id <= (SELECT max(id) FROM outcomes) - ?", (_MOST_ROWS,))

    in_database(path, _SCHEMA, write, patience=patience)


def since(path: Path, at: float, *, patience: float = 5.0) -> list[Outcome]:
    """The outcomes of calls that ended at `at` (Unix time) or later, in the order of time; none where there is no file.

    Raises:
        OSError: As `in_database`.
        sqlite3.Error: Likewise.
    """
    if not path.exists():
        return []
    query = f"SELECT {_COLUMNS} FROM outcomes WHERE at >= ? ORDER BY at, id"  # noqa: S608 - a constant
    return in_database(
        path, _SCHEMA, lambda connection: [Outcome(*row) for row in connection.execute(query, (at,))], patience=patience
    )
