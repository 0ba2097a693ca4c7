"""How each call of a model ended: the row, its SQLite file in the user's data folder, and the thread that writes it.

What the model said, and whether others agreed, is not in it.
"""

import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from fusion_tool.config.schema import Panelist
from fusion_tool.config.storage import STORAGE_ERRORS, data_path, with_database
from fusion_tool.errors import Reason

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


def append(path: Path, outcomes: Sequence[Outcome], *, patience: float = 5.0) -> None:
    """Write `outcomes` into the file, and delete those that are too old.

    Args:
        path: The file; it is made where it is missing.
        outcomes: The rows to add.
        patience: Seconds to wait where another process is writing.

    Raises:
        OSError: As `with_database`.
        sqlite3.Error: As `with_database`.
    """

    def write(connection: sqlite3.Connection) -> None:
        # Old rows go with every batch: no process lives for it, and a file that is only added to would never shrink.
        marks = ", ".join("?" * len(Outcome._fields))
        connection.executemany(f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({marks})", outcomes)  # noqa: S608 - constants
        connection.execute("DELETE FROM outcomes WHERE at < ?", (time.time() - KEEP_DAYS * _DAY_SECONDS,))
        connection.execute("DELETE FROM outcomes WHERE id <= (SELECT max(id) FROM outcomes) - ?", (_MAX_ROWS,))

    with_database(path, _SCHEMA, write, patience=patience)


def outcomes_since(path: Path, at: float, *, patience: float = 5.0) -> list[Outcome]:
    """Return the outcomes of calls that ended at `at` (Unix time) or later, ordered by time; none without a file.

    Raises:
        OSError: As `with_database`.
        sqlite3.Error: As `with_database`.
    """
    if not path.exists():
        return []
    query = f"SELECT {_COLUMNS} FROM outcomes WHERE at >= ? ORDER BY at, id"  # noqa: S608 - a constant
    return with_database(
        path, _SCHEMA, lambda connection: [Outcome(*row) for row in connection.execute(query, (at,))], patience=patience
    )


_BATCH_SECONDS = 0.5
"""Outcomes that come within it are written together."""
_MAX_WAITING = 10_000
"""Outcomes that wait for a file that cannot be written; the oldest give way."""
_beginning = threading.Lock()
_log = logging.getLogger(__name__)


class OutcomeRecorder:
    """A writer of outcomes in a thread of its own; a file that fails costs one warning and the outcomes, never a call.

    Args:
        path: Returns the file's path; called each time it is needed.
    """

    def __init__(self, path: Callable[[], Path] = default_path) -> None:
        self._path = path
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
                append(self._path(), batch, patience=patience)
        except STORAGE_ERRORS as error:
            self._warn(error)
        finally:
            self._writing.release()

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """Return what is recorded since `at` (Unix time); nothing, and one warning, where the file cannot be read."""
        try:
            return outcomes_since(self._path(), at, patience=patience)
        except STORAGE_ERRORS as error:
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
            _log.warning("the models' health is not recorded in %s: %s", self._path(), error)
