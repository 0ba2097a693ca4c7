"""The file in which runs are kept: LangGraph's checkpoints in SQLite, the run's id being the thread's."""

import sqlite3
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TYPE_CHECKING

from fusion_tool.errors import ConfigError
from fusion_tool.private import make_private

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

_PATIENCE_SECONDS = 30.0
"""How long a write waits for those of other processes."""


def default_path() -> Path:
    """`runs.sqlite` in the user's data folder."""
    from platformdirs import user_data_path

    return user_data_path("fusion-tool") / "runs.sqlite"


@asynccontextmanager
async def opened(path: Path) -> "AsyncIterator[AsyncSqliteSaver]":
    """The file as a checkpointer; made where there is none, and readable by its owner alone.

    Raises:
        ConfigError: It cannot be written, or is no such file.
    """
    import aiosqlite
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    from fusion_tool.serializer import PlainSerializer

    _probe(path)
    async with aiosqlite.connect(path, timeout=_PATIENCE_SECONDS) as connection:
        saver = AsyncSqliteSaver(connection, serde=PlainSerializer())
        await saver.setup()
        # With a write-ahead log this survives the death of a process; only a power cut loses the last writes.
        await connection.execute("PRAGMA synchronous = NORMAL")
        yield saver


def _probe(path: Path) -> None:
    # Before aiosqlite starts a thread, which outlives a connection that fails.
    try:
        make_private(path)
        with closing(sqlite3.connect(path, timeout=_PATIENCE_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"runs cannot be kept in {path}: {error}", field="keep") from error
