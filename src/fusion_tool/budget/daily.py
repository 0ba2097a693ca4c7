"""What the callers of a server spend in a day, in UTC: reserved before a run, settled after it, kept across processes.

What a process that died had reserved stays counted: nobody knows what its run had spent by then.
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple, Protocol, TypeVar

from fusion_tool.config.storage import data_path, with_database

T = TypeVar("T")


class DayReservation(NamedTuple):
    """Dollars of a caller's day that a run may spend; 0 where none are left."""

    id: str
    caller: str
    day: str
    usd: float


class DaySpending(NamedTuple):
    """US dollars of a caller's day: what ended runs spent, and what those under way have reserved."""

    usd: float
    reserved_usd: float


class DailyBudget(Protocol):
    """Where the days of callers are counted, for all who share it."""

    def reserve(self, caller: str, usd: float, limit: float) -> DayReservation:
        """Reserve up to `usd` dollars of what today's `limit` leaves to `caller`."""

    def settle(self, reservation: DayReservation, usd: float) -> None:
        """Replace a reservation by the dollars that were spent."""

    def spent(self, caller: str) -> DaySpending:
        """Return what today's runs of `caller` spent and reserve."""


def utc_day() -> str:
    """Return today's date, in UTC."""
    return datetime.now(UTC).date().isoformat()


def next_day() -> str:
    """Return when the day in UTC ends, as ISO 8601 has it."""
    return f"{(datetime.now(UTC) + timedelta(days=1)).date().isoformat()}T00:00:00Z"


_SCHEMA = """
CREATE TABLE IF NOT EXISTS days (caller TEXT, day TEXT, usd REAL NOT NULL, PRIMARY KEY (caller, day));
CREATE TABLE IF NOT EXISTS reservations
(id TEXT PRIMARY KEY, caller TEXT NOT NULL, day TEXT NOT NULL, usd REAL NOT NULL);
"""
_SPENT = "SELECT coalesce(sum(usd), 0) FROM days WHERE caller = ? AND day = ?"
_RESERVED = "SELECT coalesce(sum(usd), 0) FROM reservations WHERE caller = ? AND day = ?"


class SqliteDailyBudget:
    """Days in a SQLite file, which the processes of one user on one machine share.

    Args:
        path: The file; `None` for `spending.sqlite` in the user's data folder.

    Raises:
        OSError: From every method; the file cannot be made.
        sqlite3.Error: From every method; it is locked for long, read-only, or full.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def reserve(self, caller: str, usd: float, limit: float) -> DayReservation:
        """Reserve up to `usd` dollars of what today's `limit` leaves to `caller`."""
        reservation = DayReservation(uuid.uuid4().hex, caller, utc_day(), 0.0)

        def work(connection: Connection) -> DayReservation:
            # Written before it is read: from here to the commit no other process reserves.
            connection.execute("INSERT INTO reservations VALUES (?, ?, ?, ?)", reservation)
            left = limit - sum(_spending(connection, caller, reservation.day))
            granted = reservation._replace(usd=max(min(usd, left), 0.0))
            if granted.usd:
                connection.execute("UPDATE reservations SET usd = ? WHERE id = ?", (granted.usd, granted.id))
            else:
                connection.execute("DELETE FROM reservations WHERE id = ?", (granted.id,))
            return granted

        return self._with_database(work)

    def settle(self, reservation: DayReservation, usd: float) -> None:
        """Replace a reservation by the dollars that were spent, on the day that they were reserved on."""

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM reservations WHERE id = ?", (reservation.id,))
            connection.execute(
                "INSERT INTO days VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET usd = usd + excluded.usd",
                (reservation.caller, reservation.day, usd),
            )

        self._with_database(work)

    def spent(self, caller: str) -> DaySpending:
        """Return what today's runs of `caller` spent and reserve."""
        return self._with_database(lambda connection: _spending(connection, caller, utc_day()))

    def _with_database(self, work: Callable[[Connection], T]) -> T:
        return with_database(self._path or data_path("spending.sqlite"), _SCHEMA, work)


def _spending(connection: Connection, caller: str, day: str) -> DaySpending:
    usd, reserved = (connection.execute(query, (caller, day)).fetchone()[0] for query in (_SPENT, _RESERVED))
    return DaySpending(usd, reserved)
