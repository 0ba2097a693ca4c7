"""How each call of a model ended: the row, where rows are kept, and the thread that writes them.

They are kept in the shared database, or in a SQLite file in the user's data folder.

What the model said, and whether others agreed, is not in it.
"""

import asyncio
import logging
import os
import socket
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from fusion_tool.config.database import open_connection
from fusion_tool.config.schema import Panelist
from fusion_tool.config.storage import STORAGE_ERRORS, data_path, with_database
from fusion_tool.config.system import failure_text
from fusion_tool.errors import DatabaseUnavailable, Reason

T = TypeVar("T")

COUNTED_FAILURES: frozenset[Reason] = frozenset(
    {"rate_limited", "timeout", "upstream_error", "model_unavailable", "empty"}
)
"""The reasons after which the next call is likely to fail, too.

The others concern the question (`refused`, `context_overflow`), the settings (`truncated`), the account (`auth`,
`budget`: whoever corrects the key wants the model back at once), or nobody (`cancelled`, `straggler`).
"""

INTERRUPTED: frozenset[Reason] = frozenset({"cancelled", "straggler"})
"""The reasons of calls that were broken off: neither answered nor failed."""


class Outcome(NamedTuple):
    """The end of one call.

    Args:
        model: The called model's `health_key`.
        reason: Why it gave no usable answer; `None` where it gave one.
        seconds: From its beginning to its end, retries included.
        first_token_seconds: Seconds until the first piece of the answer, `None` where unknown.
        cost_usd: US dollars, `None` where unknown.
        input_tokens: Tokens of the prompt, `None` where unknown.
        output_tokens: Tokens of the answer, `None` where unknown.
        at: Unix time at which it ended.
    """

    model: str
    reason: Reason | None
    seconds: float
    first_token_seconds: float | None
    cost_usd: float | None
    input_tokens: int | None
    output_tokens: int | None
    at: float


def health_key(panelist: Panelist) -> str | None:
    """Return the name under which a panelist's calls are recorded: the model's, with an endpoint of its own.

    `None` for a model that was configured as an object: which endpoint it calls, only the object knows.
    """
    # The host alone: the rest of an address may hold a secret, and the file outlives the run.
    if not isinstance(panelist.model, str):
        return None
    return f"{panelist.model} at {urlsplit(panelist.base_url).netloc}" if panelist.base_url else panelist.model


_LEAST_PATIENCE_SECONDS = 3.0
"""To connect to a database takes longer than to open a file."""
KEEP_DAYS = 90
"""Days for which an outcome is kept."""
_MAX_ROWS = 500_000
"""Some 50 MB; a busy server keeps fewer days."""
_DAY_SECONDS = 86_400
_COLUMNS = ", ".join(Outcome._fields)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS outcomes (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, reason TEXT, seconds REAL NOT NULL, first_token_seconds REAL,
    cost_usd REAL, input_tokens INTEGER, output_tokens INTEGER, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS outcomes_at ON outcomes (at);
"""


def default_path() -> Path:
    """Return `health.sqlite` in the user's data folder."""
    return data_path("health.sqlite")


class OutcomeStore(Protocol):
    """Where outcomes are kept; its methods are called in threads, and raise what `STORE_ERRORS` lists."""

    def append(self, outcomes: Sequence[Outcome], *, patience: float = 5.0) -> None:
        """Write `outcomes`, and delete those that are too old.

        Args:
            outcomes: The rows to add.
            patience: Seconds to wait where another process is writing.
        """

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """Return the outcomes of calls that ended at `at` (Unix time) or later, ordered by time."""


STORE_ERRORS = (*STORAGE_ERRORS, DatabaseUnavailable)


class SqliteOutcomes:
    """Outcomes in a SQLite file, which is made where it is missing.

    Args:
        path: The file; `None` for `health.sqlite` in the user's data folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self.path)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path or default_path()

    def append(self, outcomes: Sequence[Outcome], *, patience: float = 5.0) -> None:
        """Append as `OutcomeStore` says."""

        def write(connection: sqlite3.Connection) -> None:
            # Old rows go with every batch: no process lives for it, and a file that is only added to never shrinks.
            marks = ", ".join("?" * len(Outcome._fields))
            insert = f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
            connection.executemany(insert, outcomes)
            connection.execute("DELETE FROM outcomes WHERE at < ?", (time.time() - KEEP_DAYS * _DAY_SECONDS,))
            connection.execute("DELETE FROM outcomes WHERE id <= (SELECT max(id) FROM outcomes) - ?", (_MAX_ROWS,))

        with_database(self.path, _SCHEMA, write, patience=patience)

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """Read as `OutcomeStore` says; nothing without a file."""

        def read(connection: sqlite3.Connection) -> list[Outcome]:
            query = f"SELECT {_COLUMNS} FROM outcomes WHERE at >= ? ORDER BY at, id"  # noqa: S608 - a constant
            return [Outcome(*row) for row in connection.execute(query, (at,))]

        return with_database(self.path, _SCHEMA, read, patience=patience) if self.path.exists() else []


class PostgresOutcomes:
    """Outcomes in the shared database, by a loop and a connection of its own each time: its callers are threads.

    Args:
        address: Its address.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def __str__(self) -> str:
        return "the shared database"

    def append(self, outcomes: Sequence[Outcome], *, patience: float = 5.0) -> None:
        """Append as `OutcomeStore` says."""

        async def write() -> None:
            marks = ", ".join(["%s"] * len(Outcome._fields))
            insert = f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({marks})"  # noqa: S608 - constants
            async with open_connection(self._address) as connection:
                async with connection.cursor() as cursor:
                    await cursor.executemany(insert.encode(), outcomes)
                await connection.execute(
                    "DELETE FROM outcomes WHERE at < %s", (time.time() - KEEP_DAYS * _DAY_SECONDS,)
                )

        _run(write(), patience)

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """Read as `OutcomeStore` says."""

        async def read() -> list[Outcome]:
            query = f"SELECT {_COLUMNS} FROM outcomes WHERE at >= %s ORDER BY at, id"  # noqa: S608 - a constant
            async with open_connection(self._address) as connection:
                rows = await connection.execute(query.encode(), (at,))
                return [Outcome(**row) async for row in rows]

        return _run(read(), patience)


class _LonelyLoop(asyncio.SelectorEventLoop):
    # A process that ends writes its last outcomes, and starts no thread any more in which a name could be looked up.
    async def getaddrinfo(self, *arguments: Any, **options: Any) -> list[Any]:
        return socket.getaddrinfo(*arguments, **options)


def _run(work: Coroutine[Any, Any, T], patience: float) -> T:
    seconds = max(patience, _LEAST_PATIENCE_SECONDS)
    try:
        with asyncio.Runner(loop_factory=_LonelyLoop) as runner:
            return runner.run(asyncio.wait_for(work, seconds))
    except TimeoutError:
        raise DatabaseUnavailable(f"no answer within {seconds:g} s") from None


_BATCH_SECONDS = 0.5
"""Outcomes that come within it are written together."""
_MAX_WAITING = 10_000
"""Outcomes that wait for a file that cannot be written; the oldest give way."""
_beginning = threading.Lock()
_log = logging.getLogger(__name__)


class OutcomeRecorder:
    """A writer of outcomes in a thread of its own; a store that fails costs one warning and the outcomes, never a call.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: OutcomeStore) -> None:
        self._store = store
        self._waiting: deque[Outcome] = deque(maxlen=_MAX_WAITING)
        self._news = threading.Event()
        self._writing = threading.Lock()
        self._has_warned = False
        self._owner = 0

    def put(self, outcome: Outcome) -> None:
        """Queue `outcome` to be written soon; takes microseconds."""
        if self._owner != os.getpid():
            self._begin()
        self._waiting.append(outcome)
        if not self._news.is_set():  # a look costs less than the lock that `set` takes, on every call of a busy server
            self._news.set()

    def flush(self, patience: float = 5.0) -> None:
        """Write what is queued now, in this thread, which waits at most `patience` seconds for others who write."""
        if not self._writing.acquire(timeout=patience):
            return  # whoever holds it is writing this very queue
        try:
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if batch:
                self._store.append(batch, patience=patience)
        except STORE_ERRORS as error:
            self._warn(error)
        finally:
            self._writing.release()

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """Return what is recorded since `at` (Unix time); nothing, and one warning, where they cannot be read."""
        try:
            return self._store.since(at, patience=patience)
        except STORE_ERRORS as error:
            self._warn(error)
            return []

    def _begin(self) -> None:
        with _beginning:
            if self._owner == os.getpid():
                return
            if self._owner:  # a forked child has the fields, but neither the thread nor a right to its parent's batch
                self._waiting.clear()
                self._news, self._writing = threading.Event(), threading.Lock()
            self._owner = os.getpid()
            threading.Thread(target=self._write_forever, name="fusion-tool-health", daemon=True).start()

    def _write_forever(self) -> None:
        while self._news.wait():
            time.sleep(_BATCH_SECONDS)
            self._news.clear()  # before the queue is emptied: what is added in between sets it again
            self.flush()

    def _warn(self, error: Exception) -> None:
        # Once a process: a full disk would otherwise add a line to the log with every call.
        if not self._has_warned:
            self._has_warned = True
            _log.warning("the models' health is not recorded in %s: %s", self._store, failure_text(error))
