"""Where results are kept for whoever asks the same on the same day, and where processes agree who of them makes one.

In the shared database, or in a SQLite file of the user's. Whoever leads in a question keeps a lock that the system
releases where its process dies: those who wait then make the result themselves.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Protocol, TypeVar

from fusion_tool.config.database import database_address, open_database
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import STORAGE_ERRORS, cache_path, wait_for_lock, with_database
from fusion_tool.config.system import utc_day
from fusion_tool.errors import DatabaseUnavailable

T = TypeVar("T")


class ResponseStore(Protocol):
    """Results by key; every method raises `DatabaseUnavailable` where it fails."""

    async def read(self, key: str, waited: float) -> str | None:
        """Return the result under `key` as JSON; `None` where there is none.

        Args:
            key: The run's key.
            waited: For how many seconds the caller has waited for another: a partial result is for those alone who
                waited when it was made.
        """

    async def write(self, key: str, result: dict[str, Any]) -> None:
        """Store a result, and delete those of earlier days, whose keys no call has any more."""

    def lead(self, key: str, wait_seconds: float) -> AbstractAsyncContextManager[None]:
        """Keep all others that would lead in `key` waiting; where another leads, wait for it, `wait_seconds` at most.

        Whoever has waited reads again: the result may be there.
        """


def response_store(config: FusionConfig) -> ResponseStore:
    """Return where a configuration's results are kept."""
    address = database_address(config)
    return SqliteResponses() if address is None else PostgresResponses(address)


def _remove(file: Path) -> None:
    # Best effort: another process may have the lock by now, and Windows refuses to delete a file in use.
    with suppress(OSError):
        file.unlink()


_DAY_SECONDS = 86_400
_SCHEMA = """
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, day TEXT NOT NULL, result TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS partial_results (key TEXT PRIMARY KEY, written_at REAL NOT NULL, result TEXT NOT NULL);
"""


class SqliteResponses:
    """Results in `results.sqlite` in the user's cache folder."""

    def __init__(self) -> None:
        self.path = cache_path("results.sqlite")

    async def read(self, key: str, waited: float) -> str | None:
        """Read as `ResponseStore` says."""

        def work(connection: Connection) -> str | None:
            row = connection.execute("SELECT result FROM results WHERE key = ?", (key,)).fetchone()
            if row is None and waited:
                query = "SELECT result FROM partial_results WHERE key = ? AND written_at > ?"
                row = connection.execute(query, (key, time.time() - waited)).fetchone()
            return None if row is None else str(row[0])

        return await self._with_database(work, makes=False)

    async def write(self, key: str, result: dict[str, Any]) -> None:
        """Write as `ResponseStore` says."""
        day, text = utc_day(), json.dumps(result)

        def work(connection: Connection) -> None:
            if result["status"] == "ok":
                connection.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", (key, day, text))
            else:
                connection.execute("INSERT OR REPLACE INTO partial_results VALUES (?, ?, ?)", (key, time.time(), text))
            connection.execute("DELETE FROM results WHERE day < ?", (day,))
            connection.execute("DELETE FROM partial_results WHERE written_at < ?", (time.time() - _DAY_SECONDS,))

        await self._with_database(work)

    @asynccontextmanager
    async def lead(self, key: str, wait_seconds: float) -> AsyncIterator[None]:
        """Lead as `ResponseStore` says."""
        file = self.path.with_name(f"{self.path.name}-{key}.lock")
        async with AsyncExitStack() as stack:
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_seconds):
                        await stack.enter_async_context(wait_for_lock(file))
                        stack.callback(_remove, file)
            except STORAGE_ERRORS as error:
                raise DatabaseUnavailable(f"{self.path}: {error}") from None
            yield

    async def _with_database(self, work: Callable[[Connection], T], *, makes: bool = True) -> T | None:
        def begin() -> T | None:
            return with_database(self.path, _SCHEMA, work) if makes or self.path.exists() else None

        try:
            return await asyncio.to_thread(begin)
        except STORAGE_ERRORS as error:
            raise DatabaseUnavailable(f"{self.path}: {error}") from None


class PostgresResponses:
    """Results in the shared database.

    Args:
        address: Its address.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    async def read(self, key: str, waited: float) -> str | None:
        """Read as `ResponseStore` says."""
        database = await open_database(self._address)
        query = (
            "SELECT result FROM results"
            " WHERE key = %s AND (is_whole OR written_at > clock_timestamp() - make_interval(secs => %s))"
        )
        async with database.transaction() as connection:
            row = await (await connection.execute(query, (key, waited))).fetchone()
        return None if row is None else str(row["result"])

    async def write(self, key: str, result: dict[str, Any]) -> None:
        """Write as `ResponseStore` says."""
        database = await open_database(self._address)
        insert = (
            "INSERT INTO results (key, day, is_whole, result) VALUES (%s, %s, %s, %s) ON CONFLICT (key) DO UPDATE"
            " SET is_whole = excluded.is_whole, result = excluded.result, written_at = clock_timestamp()"
        )
        async with database.transaction() as connection:
            await connection.execute(insert, (key, utc_day(), result["status"] == "ok", json.dumps(result)))
            await connection.execute("DELETE FROM results WHERE day < %s", (utc_day(),))

    @asynccontextmanager
    async def lead(self, key: str, wait_seconds: float) -> AsyncIterator[None]:
        """Lead as `ResponseStore` says."""
        database = await open_database(self._address)
        async with database.lock(f"result {key}", wait_seconds=wait_seconds):
            yield
