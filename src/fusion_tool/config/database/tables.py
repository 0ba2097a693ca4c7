"""The package's own tables in the shared database, made in numbered steps, each done once, in their order.

Beside them stand LangGraph's, which its checkpointer makes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fusion_tool.config.database.connection import SCHEMA, read_value
from fusion_tool.config.database.locks import poll, try_lock, unlock
from fusion_tool.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from fusion_tool.config.database.connection import Connection

_BUDGETS = """
CREATE TABLE budgets (
    name text PRIMARY KEY,
    usd double precision NOT NULL DEFAULT 0, tokens double precision NOT NULL DEFAULT 0,
    seconds double precision NOT NULL DEFAULT 0);
CREATE TABLE run_reservations (
    id text PRIMARY KEY, budget text NOT NULL,
    usd double precision NOT NULL, tokens double precision NOT NULL, seconds double precision NOT NULL,
    lease_until timestamptz NOT NULL);
CREATE INDEX run_reservations_budget ON run_reservations (budget);
"""
_RESULTS = """
CREATE TABLE results (
    key text PRIMARY KEY, day text NOT NULL, is_whole bool NOT NULL, result text NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX results_day ON results (day);
"""
_OUTCOMES = """
CREATE TABLE outcomes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, model text NOT NULL, reason text,
    seconds double precision NOT NULL, first_token_seconds double precision, cost_usd double precision,
    input_tokens bigint, output_tokens bigint, at double precision NOT NULL);
CREATE INDEX outcomes_at ON outcomes (at);
"""
_PROMISES = """
CREATE TABLE promises (run_id text PRIMARY KEY, terms text NOT NULL);
"""
STEPS: tuple[str, ...] = (_BUDGETS, _RESULTS, _OUTCOMES, _PROMISES)
"""A step that was released never changes: what is to be different is another step at the end."""
_PATIENCE_SECONDS = 60.0
"""How long others may be at work on the tables before that is an error."""


async def make_tables(connection: "Connection") -> None:
    """Make the tables that are missing, while no other process does the same.

    Raises:
        psycopg.Error: They cannot be made.
        DatabaseUnavailable: Another process has been at work on them for too long.
    """
    if await count_steps(connection) >= len(STEPS):
        return
    async with change_tables(connection):
        made = await count_steps(connection)
        if made < 0:
            # Asked for first: to make it `IF NOT EXISTS` needs a right that a role may lack whose schema is there.
            if not await read_value(connection, "SELECT to_regnamespace(%s)", SCHEMA):
                await connection.execute(f"CREATE SCHEMA {SCHEMA}")
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS steps (step int PRIMARY KEY, made_at timestamptz NOT NULL DEFAULT now())"
            )
        for number in range(max(made, 0), len(STEPS)):
            async with connection.transaction():
                await connection.execute(STEPS[number].encode())
                await connection.execute("INSERT INTO steps (step) VALUES (%s)", (number,))


async def count_steps(connection: "Connection") -> int:
    """Return how many steps the database has seen, which were made in their order; -1 where there are no tables."""
    if not await read_value(connection, "SELECT to_regclass('steps')"):
        return -1
    return int(await read_value(connection, "SELECT count(*) FROM steps"))


@asynccontextmanager
async def change_tables(connection: "Connection") -> AsyncIterator[None]:
    """Keep all others from changing tables; the lock ends with the connection at the latest."""
    if not await poll(lambda: try_lock(connection, "tables"), _PATIENCE_SECONDS):
        raise DatabaseUnavailable(f"another process has been changing its tables for {_PATIENCE_SECONDS:g} s")
    yield
    await unlock(connection, "tables")
