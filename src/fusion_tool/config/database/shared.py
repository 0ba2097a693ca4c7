"""The shared database, PostgreSQL, as one event loop uses it: connections, tables, locks.

Nothing of it is imported or opened unless `database_address` names one. A store then reaches it so, and not otherwise:

    database = await open_database(address)             # the loop's own, its tables made; `DatabaseUnavailable` if not
    async with database.transaction() as connection:    # psycopg's, whose rows are dicts
        await connection.execute("INSERT INTO spent ...")
    async with database.lock("run 5c0f...") as is_held:   # of the whole cluster of processes; see there
        ...

A store's tables are a step in `tables.py`. Everything lives in the schema `fusion_tool`. A pooler that hands out a
connection for each transaction will not do: locks belong to a session.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, WeakSet

from fusion_tool.config.addresses import check_database_address
from fusion_tool.config.database.connection import (
    CONNECT_SECONDS,
    OPTIONS,
    as_unavailable,
    configure,
    connect,
    database_errors,
    is_lost,
    read_value,
)
from fusion_tool.config.database.locks import Locks
from fusion_tool.config.database.tables import STEPS, change_tables, count_steps, make_tables
from fusion_tool.config.installation import require_extra
from fusion_tool.config.user_file import user_file
from fusion_tool.errors import ConfigError, DatabaseUnavailable

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

    from fusion_tool.config.database.connection import Connection
    from fusion_tool.config.schema import FusionConfig

VARIABLE = "FUSION_DATABASE_URL"
"""The environment variable that holds the address."""
_MOST_CONNECTIONS = 10
"""Connections of one loop's pool; a statement takes a millisecond, and a server has 100 for everybody."""

_CLOSE_SECONDS = 1.0
"""How long a pool that is let go waits for connections that it is opening."""

_databases: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, "tuple[Database, AsyncGenerator[None]]"]] = (
    WeakKeyDictionary()
)


def database_address(config: "FusionConfig | None" = None) -> str | None:
    """Return the address of the shared database, the configuration's before the environment's; `None` for none.

    Args:
        config: The configuration; `None` for the user's file, where there is one.

    Raises:
        ConfigError: It is no address of PostgreSQL; `field` says where it stands. Or the user's file cannot be read.
    """
    if config is None and (own := user_file()) is not None and (address := own.settings.get("database")):
        return check_database_address(str(address))
    if config is not None and config.database:
        return config.database
    value = os.environ.get(VARIABLE, "").strip()
    try:
        return check_database_address(value) if value else None
    except ConfigError as error:
        raise ConfigError(error.message, field=VARIABLE) from None


async def open_database(address: str) -> "Database":
    """Return the running loop's database at `address`, connected and with its tables; it is closed with the loop.

    Raises:
        ConfigError: The extra `postgres` is not installed.
        DatabaseUnavailable: It cannot be reached, or its tables cannot be made.
    """
    require_extra("postgres", field="database")
    databases = _databases.setdefault(asyncio.get_running_loop(), {})
    if address not in databases:
        database = Database(address)
        holder = _close_at_end(database)
        databases[address] = database, holder
        await anext(holder)
    database = databases[address][0]
    await database.connect()
    return database


@asynccontextmanager
async def open_connection(address: str) -> "AsyncIterator[Connection]":
    """Open a connection of one's own, and a transaction in it, where a loop lives too shortly for a pool.

    A pool whose loop ends while it connects keeps the loop from ending.

    Raises:
        ConfigError: The extra `postgres` is not installed.
        DatabaseUnavailable: It cannot be reached, refused a statement, or its tables cannot be made.
    """
    require_extra("postgres", field="database")
    with as_unavailable():
        async with await connect(address) as connection:
            await make_tables(connection)
            async with connection.transaction():
                yield connection


async def _close_at_end(database: "Database") -> AsyncGenerator[None]:
    # A loop closes its asynchronous generators when it is shut down: the one moment at which connections end cleanly.
    try:
        yield
    finally:
        await database.close()


async def read_state(address: str) -> tuple[str, int]:
    """Return the server's version and how many steps of the tables are missing; nothing is changed.

    Raises:
        ConfigError: The extra `postgres` is not installed.
        DatabaseUnavailable: It cannot be reached.
    """
    require_extra("postgres", field="database")
    with as_unavailable():
        async with await connect(address) as connection:
            version = str(await read_value(connection, "SHOW server_version"))
            return version, len(STEPS) - max(await count_steps(connection), 0)


class Database:
    """The database of one event loop; made by `open_database`.

    Args:
        address: Its address, which holds a password.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._pool: AsyncConnectionPool[Connection] | None = None
        self._holding: asyncio.Task[None] | None = None
        self._pooled = WeakSet["Connection"]()
        self._connecting = asyncio.Lock()
        self._locks = Locks(address)
        self._done_once = set[str]()

    async def connect(self) -> None:
        """Connect and make the tables, where that is not done.

        Raises:
            DatabaseUnavailable: It cannot be reached, or the tables cannot be made.
        """
        async with self._connecting:
            if self._pool is not None:
                return
            # First a connection of its own: it fails at once and with its cause, where a pool tries again in silence.
            with as_unavailable():
                async with await connect(self._address) as connection:
                    await make_tables(connection)
                self._pool = await self._open_pool()
                self._holding = asyncio.create_task(_hold(self._pool))

    @property
    def pool(self) -> "AsyncConnectionPool[Connection]":
        """The connections, for what brings its own statements, as LangGraph's checkpointer does.

        Raises:
            DatabaseUnavailable: It broke off, and `open_database` has not connected it again.
        """
        if self._pool is None:
            raise DatabaseUnavailable("the connection is lost")
        return self._pool

    @asynccontextmanager
    async def transaction(self) -> "AsyncIterator[Connection]":
        """Open a transaction: all of its changes are made, or none.

        Raises:
            DatabaseUnavailable: The database failed, or refused a statement.
        """
        with as_unavailable():
            try:
                async with self.pool.connection() as connection, connection.transaction():
                    yield connection
            except database_errors() as error:
                if is_lost(error):
                    await self.disconnect()
                raise

    @asynccontextmanager
    async def lock(self, name: str, *, wait_seconds: float = 0.0) -> AsyncIterator[bool]:
        """Hold the lock `name`, in which all processes and loops that share the database exclude each other.

        The database releases the locks of a process that dies. All locks of a loop are held by one connection.

        Args:
            name: What is locked.
            wait_seconds: How long to wait while somebody else holds it.

        Yields:
            Whether it is held; `False` where somebody else held it all the time.

        Raises:
            DatabaseUnavailable: It cannot be reached.
        """
        with as_unavailable():
            is_held = await self._locks.take(name, wait_seconds)
        try:
            yield is_held
        finally:
            if is_held:
                await self._locks.release(name)

    async def holds(self, name: str) -> bool:
        """Tell whether a lock that this loop took is still held, or is so again: a database that restarts forgets them.

        Raises:
            DatabaseUnavailable: It cannot be reached.
        """
        with as_unavailable():
            return await self._locks.check(name)

    async def once(self, name: str, work: "Callable[[Connection], Awaitable[None]]") -> None:
        """Do `work` the first time that this loop asks for `name`, while no other process does the same.

        Args:
            name: What is done.
            work: Gets a connection of its own, outside of any transaction; may be done again by others.

        Raises:
            DatabaseUnavailable: It failed.
        """
        if name in self._done_once:
            return
        with as_unavailable():
            async with await connect(self._address) as connection, change_tables(connection):
                await work(connection)
        self._done_once.add(name)

    async def disconnect(self) -> None:
        """Let the pool go, whose connections are broken; `open_database` makes a new one. Locks stay."""
        holding, self._holding, self._pool = self._holding, None, None
        if holding is not None:
            holding.cancel()
            await asyncio.wait([holding])

    async def close(self) -> None:
        """Close all connections, as the loop ends; locks that are held are released."""
        # Not left to the pool: by now its tasks are cancelled, and it would stop at the first of them.
        for connection in list(self._pooled):
            await connection.close()
        await self.disconnect()
        await self._locks.close()

    async def _open_pool(self) -> "AsyncConnectionPool[Connection]":
        from psycopg.rows import dict_row
        from psycopg_pool import AsyncConnectionPool

        from fusion_tool.config.database.interruption import InterruptibleConnection

        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            self._address,
            connection_class=InterruptibleConnection,
            kwargs={**OPTIONS, "row_factory": dict_row},
            min_size=0,
            max_size=_MOST_CONNECTIONS,
            timeout=CONNECT_SECONDS,
            reconnect_timeout=CONNECT_SECONDS,
            configure=self._configure,
            check=AsyncConnectionPool.check_connection,  # else each connection would fail once after a restart
            open=False,
        )
        await pool.open()
        return pool

    async def _configure(self, connection: "Connection") -> None:
        self._pooled.add(connection)
        await configure(connection)


async def _hold(pool: "AsyncConnectionPool[Connection]") -> None:
    """Hold a pool until this task is cancelled, by who lets it go, or by the loop that ends with all of its tasks."""
    # The pool's own tasks take a cancellation for a failure to connect, and go on: the loop would wait for them.
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        with suppress(asyncio.CancelledError):  # one of them has ended by it
            await pool.close(_CLOSE_SECONDS)
