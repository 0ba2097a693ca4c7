"""Budgets that several processes draw on: reserved before a run under the budget's lock, settled after it.

The law: what is spent and what is reserved never pass the limit together. A reservation has a lease, the longest that
its run may take. One whose lease is over is that of a process that died: nobody knows what its run spent, so that it
counts as spent, whole, and nobody waits for it any more.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection
from typing import NamedTuple, Protocol, TypeVar

from fusion_tool.config.storage import STORAGE_ERRORS, data_path, with_database
from fusion_tool.errors import DatabaseUnavailable

T = TypeVar("T")


class Amounts(NamedTuple):
    """US dollars, tokens, and seconds at work; as a limit infinite where there is none."""

    usd: float = 0.0
    tokens: float = 0.0
    seconds: float = 0.0


class RunReservation(NamedTuple):
    """What a run may take of a budget; 0 of what is used up, and of what has no limit."""

    id: str
    budget: str
    amounts: Amounts


class Balance(NamedTuple):
    """What ended runs took of a budget, or may have taken, and what is reserved by those under way."""

    spent: Amounts
    reserved: Amounts


class BudgetStore(Protocol):
    """Where budgets are counted, for all who share it; every method raises `DatabaseUnavailable` where it fails."""

    async def reserve(
        self, budget: str, wanted: Amounts, limits: Amounts, *, lease_seconds: float, whole: bool = False
    ) -> RunReservation | None:
        """Reserve up to `wanted` of what `limits` leave of a budget.

        Args:
            budget: Its name.
            wanted: The most that the run may take; infinite for all that is left.
            limits: The budget's limits.
            lease_seconds: How long the run may take.
            whole: Reserve nothing where runs under way hold a part of what the run would else get.

        Returns:
            The reservation; `None` for one that could not be made whole.
        """

    async def settle(self, reservation: RunReservation, spent: Amounts) -> None:
        """Replace a reservation by what was spent; a second time changes nothing."""

    async def balance(self, budget: str) -> Balance:
        """Return what is spent and reserved of a budget."""


def grant(wanted: Amounts, limits: Amounts, balance: Balance, *, whole: bool) -> Amounts | None:
    """Return what a run gets of a budget; arguments and `None` as for `BudgetStore.reserve`."""
    nobody_else = [
        max(min(most, limit - spent), 0.0) if limit < math.inf else 0.0  # without a limit there is nothing to keep
        for most, limit, spent in zip(wanted, limits, balance.spent, strict=True)
    ]
    granted = [
        max(min(most, limit - spent - reserved), 0.0)
        for most, limit, spent, reserved in zip(nobody_else, limits, *balance, strict=True)
    ]
    return None if whole and granted != nobody_else else Amounts(*granted)


_SCHEMA = """
CREATE TABLE IF NOT EXISTS budgets (
    name TEXT PRIMARY KEY, usd REAL NOT NULL, tokens REAL NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS run_reservations (
    id TEXT PRIMARY KEY, budget TEXT NOT NULL, usd REAL NOT NULL, tokens REAL NOT NULL, seconds REAL NOT NULL,
    lease_until REAL NOT NULL);
CREATE INDEX IF NOT EXISTS run_reservations_budget ON run_reservations (budget);
"""
_SUMS = "SELECT coalesce(sum(usd), 0), coalesce(sum(tokens), 0), coalesce(sum(seconds), 0) FROM"
_SPENT = f"{_SUMS} (SELECT * FROM budgets WHERE name = :budget)"  # noqa: S608 - constants
_RESERVED = f"{_SUMS} run_reservations WHERE budget = :budget AND lease_until > :now"
_UNKNOWN = f"{_SUMS} run_reservations WHERE budget = :budget AND lease_until <= :now"


class SqliteBudgets:
    """Budgets in a SQLite file, which the processes of one user on one machine share.

    Args:
        path: The file; `None` for `spending.sqlite` in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    async def reserve(
        self, budget: str, wanted: Amounts, limits: Amounts, *, lease_seconds: float, whole: bool = False
    ) -> RunReservation | None:
        """Reserve as `BudgetStore` says."""
        reservation = RunReservation(uuid.uuid4().hex, budget, Amounts())

        def work(connection: Connection) -> RunReservation | None:
            # Written before it is read: from here to the commit no other process reserves.
            lease_until = time.time() + lease_seconds
            connection.execute(
                "INSERT INTO run_reservations VALUES (?, ?, 0, 0, 0, ?)", (reservation.id, budget, lease_until)
            )
            granted = grant(wanted, limits, _balance(connection, budget), whole=whole)
            if granted is None:
                connection.execute("DELETE FROM run_reservations WHERE id = ?", (reservation.id,))
                return None
            update = "UPDATE run_reservations SET usd = ?, tokens = ?, seconds = ? WHERE id = ?"
            connection.execute(update, (*granted, reservation.id))
            return reservation._replace(amounts=granted)

        return await self._with_database(work)

    async def settle(self, reservation: RunReservation, spent: Amounts) -> None:
        """Settle as `BudgetStore` says."""

        def work(connection: Connection) -> None:
            if connection.execute("DELETE FROM run_reservations WHERE id = ?", (reservation.id,)).rowcount:
                connection.execute(
                    "INSERT INTO budgets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                    " usd = usd + excluded.usd, tokens = tokens + excluded.tokens,"
                    " seconds = seconds + excluded.seconds",
                    (reservation.budget, *spent),
                )

        await self._with_database(work)

    async def balance(self, budget: str) -> Balance:
        """Return what is spent and reserved of a budget."""
        return await self._with_database(lambda connection: _balance(connection, budget))

    async def _with_database(self, work: Callable[[Connection], T]) -> T:
        path = self._path or data_path("spending.sqlite")
        try:
            return await asyncio.to_thread(with_database, path, _SCHEMA, work)
        except STORAGE_ERRORS as error:
            raise DatabaseUnavailable(f"{path.name}: {error}") from None


def _balance(connection: Connection, budget: str) -> Balance:
    values = {"budget": budget, "now": time.time()}
    spent, reserved, unknown = (Amounts(*connection.execute(sql, values).fetchone()) for sql in _QUERIES)
    return Balance(Amounts(*map(sum, zip(spent, unknown, strict=True))), reserved)


_QUERIES = (_SPENT, _RESERVED, _UNKNOWN)
