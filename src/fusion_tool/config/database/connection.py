"""One connection to the shared database: how it is opened, read, and what its errors become."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from fusion_tool.config.keys import scrub
from fusion_tool.errors import DatabaseUnavailable
from fusion_tool.events import one_line

if TYPE_CHECKING:
    from psycopg import AsyncConnection

    Connection: TypeAlias = AsyncConnection[dict[str, Any]]

SCHEMA = "fusion_tool"
"""The schema of all tables: a database may hold those of other programs, LangGraph's own among them."""
CONNECT_SECONDS = 5
"""Seconds until a database that does not answer counts as out of reach."""
OPTIONS: dict[str, Any] = {"autocommit": True, "connect_timeout": CONNECT_SECONDS}
"""The options of every connection."""


async def connect(address: str) -> "Connection":
    """Open a connection of one's own, whose rows are dicts and whose statements are each their own transaction.

    Raises:
        psycopg.Error: It cannot be opened.
    """
    from psycopg.rows import dict_row

    from fusion_tool.config.database.interruption import InterruptibleConnection

    connection = await InterruptibleConnection.connect(address, row_factory=dict_row, **OPTIONS)
    await configure(connection)
    return connection


async def configure(connection: "Connection") -> None:
    """Set what every connection is set to; one that cannot be set, or whose task is cancelled meanwhile, is closed."""
    # A machine that loses its power says no goodbye: without keepalives its locks would be held for two hours.
    keepalives = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
    try:
        for setting in (f"search_path = {SCHEMA}", *keepalives):
            await connection.execute(f"SET {setting}".encode())
    except BaseException:
        await connection.close()
        raise


async def read_value(connection: "Connection", query: str, *values: Any) -> Any:
    """Return the first column of the first row that `query` finds; `None` where it finds none."""
    row = await (await connection.execute(query.encode(), values)).fetchone()
    return next(iter(row.values())) if row else None


def database_errors() -> tuple[type[Exception], ...]:
    """Return the errors of psycopg, for an `except`."""
    from psycopg import Error

    return (Error,)


def is_lost(error: Exception) -> bool:
    """Tell whether the connection is lost: the server has gone, or said so itself."""
    from psycopg import InterfaceError, OperationalError

    state = getattr(error, "sqlstate", None)
    return isinstance(error, InterfaceError | OperationalError) and (state is None or state.startswith(("08", "57P")))


def cause_of(error: Exception) -> str:
    """Return what went wrong in one line, without a secret, and without the values of a statement."""
    said = getattr(getattr(error, "diag", None), "message_primary", None)
    return scrub(one_line(said or str(error) or type(error).__name__, 300))


@contextmanager
def as_unavailable() -> Iterator[None]:
    """Raise `DatabaseUnavailable` in place of psycopg's errors."""
    try:
        yield
    except database_errors() as error:
        # Not `from error`: a traceback would show an address that psycopg could not read, with its password.
        raise DatabaseUnavailable(cause_of(error)) from None
