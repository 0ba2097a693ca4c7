"""Advisory locks: in them all processes and loops that share the database exclude each other.

Source: PostgreSQL's manual, "Advisory Locks": a lock of a session, which the server releases where the session ends.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from fusion_tool.config.database.connection import SCHEMA, connect, database_errors, read_value

if TYPE_CHECKING:
    from fusion_tool.config.database.connection import Connection

_FIRST_POLL_SECONDS, _LAST_POLL_SECONDS = 0.02, 0.25


class Locks:
    """The locks of one loop: one connection for all, since a server has few.

    Args:
        address: The database's address.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: Connection | None = None
        self._using = asyncio.Lock()
        self._names = set[str]()

    async def take(self, name: str, wait_seconds: float) -> bool:
        """Take a lock, and wait for it while somebody else holds it; return whether it is held.

        Raises:
            psycopg.Error: The database cannot be reached.
        """
        return await poll(lambda: self._try(name), wait_seconds)

    async def _try(self, name: str) -> bool:
        async with self._using:
            if name in self._names:  # the server would give a session the same lock twice
                return False
            connection = await self._open()
            try:
                is_held = await try_lock(connection, name)
            except asyncio.CancelledError:  # the server may have given it, and nobody would give it back
                await unlock(connection, name)
                raise
            if is_held:
                self._names.add(name)
            return is_held

    async def check(self, name: str) -> bool:
        """Tell whether a lock that was taken is held; one that a restart of the database released is taken again.

        Raises:
            psycopg.Error: The database cannot be reached.
        """
        async with self._using:
            try:
                await (await self._open()).execute("SELECT 1")
            except database_errors():
                await self._open()  # takes again what can be taken
            return name in self._names

    async def release(self, name: str) -> None:
        """Release a lock, where it is still held."""
        async with self._using:
            if name not in self._names:
                return
            self._names.remove(name)
            if self._connection is not None:
                await unlock(self._connection, name)

    async def close(self) -> None:
        """Close the connection, with which all locks end."""
        if self._connection is not None:
            await self._connection.close()

    async def _open(self) -> "Connection":
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._address)
            self._names = {name for name in self._names if await try_lock(self._connection, name)}
        return self._connection


async def try_lock(connection: "Connection", name: str) -> bool:
    """Take a lock for the connection's session; return whether nobody else holds it."""
    return bool(await read_value(connection, "SELECT pg_try_advisory_lock(%s)", _key(name)))


async def unlock(connection: "Connection", name: str) -> None:
    """Release a lock of the connection's session."""
    with suppress(*database_errors()):  # gone with the connection then
        await connection.execute("SELECT pg_advisory_unlock(%s)", (_key(name),))


async def poll(attempt: Callable[[], Awaitable[bool]], wait_seconds: float) -> bool:
    """Make an attempt until it succeeds or the time is over; return whether it succeeded."""
    # Polled: a statement that waits would block LangGraph's `CREATE INDEX CONCURRENTLY`, and the loop's other locks.
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + wait_seconds, _FIRST_POLL_SECONDS
    while not await attempt():
        if loop.time() + pause > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LAST_POLL_SECONDS)
    return True


def _key(name: str) -> int:
    """Return the number by which the server knows a lock; it knows 64 bits."""
    return int.from_bytes(hashlib.sha256(f"{SCHEMA} {name}".encode()).digest()[:8], "big", signed=True)
