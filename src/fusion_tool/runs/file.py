"""The file in which runs are kept: LangGraph's checkpoints in SQLite, the run's id being the thread's."""

from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fusion_tool.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiosqlite
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
    import sqlite3

    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncExitStack() as stack:
        try:
            saver = AsyncSqliteSaver(await stack.enter_async_context(_connected(path)))
            await saver.setup()
            # With a write-ahead log this survives the death of a process; only a power cut loses the last writes.
            await saver.conn.execute("PRAGMA synchronous = NORMAL")
        except (OSError, sqlite3.Error) as error:
            raise ConfigError(f"runs cannot be kept in {path}: {error}", field="keep") from error
        yield saver


def _connected(path: Path) -> "aiosqlite.Connection":
    import aiosqlite

    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    return aiosqlite.connect(path, timeout=_PATIENCE_SECONDS)
