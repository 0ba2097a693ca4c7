"""How each call of a model went: the row, its SQLite file, and the thread that writes it.

What the model said, and whether others agreed, is not in it. An outcome is noted in microseconds; a thread of its own
writes it into the file in the user's data folder.
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
"""The reasons that let expect the next call to fail, too.

The others are about the question (`refused`, `context_overflow`), the settings (`truncated`), the account (`auth`,
`budget`: whoever mends his key wants his model back at once), or nobody's doing (`cancelled`, `straggler`).
"""

INTERRUPTED: frozenset[Reason] = frozenset({"cancelled", "straggler"})
"""The reasons of calls that were broken off: neither answered nor failed."""


class Outcome(NamedTuple):
    """One call.

    Args:
        model: As `health_key` names it.
        reason: Why it gave no usable answer; `None` where it gave one.
        seconds: From its beginning to its end, retries included.
        first_token_seconds: Until the first piece of the answer, `None` where unknown.
        cost_usd: US dollars, `None` where unknown.
        input_tokens: Of the prompt, `None` where unknown.
        output_tokens: Of the answer, likewise.
        at: When it ended, Unix time.
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
    """The name under which a panelist's calls are remembered: its model's, with the endpoint where it has its own.

    `None` for a model that was given as an object: where that is reached, only the object knows.
    """
    if not isinstance(panelist.model, str):
        return None
    return f"{panelist.model} at {urlsplit(panelist.base_url).netloc}" if panelist.base_url else panelist.model


KEEP_DAYS = 90
"""How long an outcome is kept."""
_MOST_ROWS = 500_000
"""Some 50 MB; a busy server keeps less than the days."""
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
    """Write down `outcomes`, and forget those that are too old.

    Raises:
        OSError: As `with_database`.
        sqlite3.Error: Likewise.
    """

    def write(connection: sqlite3.Connection) -> None:
        marks = ", ".join("?" * len(Outcome._fields))
        connection.executemany(f"INSERT INTO outcomes ({_COLUMNS}) VALUES ({marks})", outcomes)  # noqa: S608 - constants
        connection.execute("DELETE FROM outcomes WHERE at < ?", (time.time() - KEEP_DAYS * _DAY_SECONDS,))
        connection.execute("DELETE FROM outcomes WHERE id <= (SELECT max(id) FROM outcomes) - ?", (_MOST_ROWS,))

    with_database(path, _SCHEMA, write, patience=patience)


def outcomes_since(path: Path, at: float, *, patience: float = 5.0) -> list[Outcome]:
    """The outcomes of calls that ended at `at` (Unix time) or later, in the order of time; none where there is no file.

    Raises:
        OSError: As `with_database`.
        sqlite3.Error: Likewise.
    """
    if not path.exists():
        return []
    query = f"SELECT {_COLUMNS} FROM outcomes WHERE at >= ? ORDER BY at, id"  # noqa: S608 - a constant
    return with_database(
        path, _SCHEMA, lambda connection: [Outcome(*row) for row in connection.execute(query, (at,))], patience=patience
    )


_LINGER_SECONDS = 0.5
"""What comes within it is written together."""
_MOST_WAITING = 10_000
_beginning = threading.Lock()
_log = logging.getLogger(__name__)


class OutcomeRecorder:
    """Whatever is wrong with the file costs one warning and what was to be written, never a call.

    Args:
        path: Names the file; asked anew each time.
    """

    def __init__(self, path: Callable[[], Path] = default_path) -> None:
        self._path = path
        self._waiting: deque[Outcome] = deque(maxlen=_MOST_WAITING)  # the oldest give way
        self._news = threading.Event()
        self._writing = threading.Lock()
        self._has_warned = False
        self._owner = 0

    def put(self, outcome: Outcome) -> None:
        """Have `outcome` written soon."""
        if self._owner != os.getpid():
            self._begin()
        self._waiting.append(outcome)
        if not self._news.is_set():
            self._news.set()

    def flush(self, patience: float = 5.0) -> None:
        """Write what waits, now and in this thread, which waits `patience` seconds at most."""
        if not self._writing.acquire(timeout=patience):
            return
        try:
            batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if batch:
                append(self._path(), batch, patience=patience)
        except STORAGE_ERRORS as error:
            self._warn(error)
        finally:
            self._writing.release()

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """What is recorded since `at`, Unix time; nothing where the file is of no use."""
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
            time.sleep(_LINGER_SECONDS)
            self._news.clear()
            self.flush()

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("the models' health is not recorded in %s: %s", self._path(), error)
