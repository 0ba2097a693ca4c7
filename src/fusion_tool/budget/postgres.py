"""Budgets in the shared database: a row each, whose lock is held from the look at what is left to the reservation."""

import uuid
from typing import TYPE_CHECKING

from fusion_tool.budget.store import Amounts, Balance, RunReservation, grant
from fusion_tool.config.database import open_database

if TYPE_CHECKING:
    from fusion_tool.config.database.connection import Connection

_RESERVED = """
SELECT lease_until > now() AS is_under_way, sum(usd) AS usd, sum(tokens) AS tokens, sum(seconds) AS seconds
FROM run_reservations WHERE budget = %s GROUP BY is_under_way
"""


class PostgresBudgets:
    """Budgets in the shared database.

    Args:
        address: Its address.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def reserve(
        self, budget: str, wanted: Amounts, limits: Amounts, *, lease_seconds: float, whole: bool = False
    ) -> RunReservation | None:
        """Reserve as `BudgetStore` says."""
        database = await open_database(self._address)
        async with database.transaction() as connection:
            # Until the commit nobody else looks at the budget: between look and write another one's would fit, too.
            await connection.execute(
                "INSERT INTO budgets (name) VALUES (%s) ON CONFLICT (name) DO UPDATE SET name = excluded.name",
                (budget,),
            )
            granted = grant(wanted, limits, await _read_balance(connection, budget), whole=whole)
            if granted is None:
                return None
            reservation = RunReservation(uuid.uuid4().hex, budget, granted)
            await connection.execute(
                "INSERT INTO run_reservations VALUES (%s, %s, %s, %s, %s, now() + make_interval(secs => %s))",
                (reservation.id, budget, *granted, lease_seconds),
            )
        return reservation

    async def settle(self, reservation: RunReservation, spent: Amounts) -> None:
        """Settle as `BudgetStore` says."""
        database = await open_database(self._address)
        async with database.transaction() as connection:
            done = await connection.execute("DELETE FROM run_reservations WHERE id = %s", (reservation.id,))
            if done.rowcount:
                await connection.execute(
                    "UPDATE budgets SET usd = usd + %s, tokens = tokens + %s, seconds = seconds + %s WHERE name = %s",
                    (*spent, reservation.budget),
                )

    async def balance(self, budget: str) -> Balance:
        """Return what is spent and reserved of a budget."""
        database = await open_database(self._address)
        async with database.transaction() as connection:
            return await _read_balance(connection, budget)


async def _read_balance(connection: "Connection", budget: str) -> Balance:
    rows = await connection.execute("SELECT usd, tokens, seconds FROM budgets WHERE name = %s", (budget,))
    sums = [Amounts(**row) async for row in rows]
    reserved = Amounts()
    async for row in await connection.execute(_RESERVED, (budget,)):
        if row.pop("is_under_way"):
            reserved = Amounts(**row)
        else:
            sums.append(Amounts(**row))
    return Balance(Amounts(*map(sum, zip(Amounts(), *sums, strict=True))), reserved)
