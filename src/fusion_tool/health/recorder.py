"""Outcomes on their way to the file: noted in microseconds, written by a thread of its own."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from fusion_tool.database import UNUSABLE
from fusion_tool.health import store
from fusion_tool.health.outcome import Outcome

_LINGER_SECONDS = 0.5
"""What comes within it is written together."""
_MOST_WAITING = 10_000
_beginning = threading.Lock()
_log = logging.getLogger(__name__)


class Recorder:
    """Whatever is wrong with the file costs one warning and what was to be written, never a call.

    Args:
        path: Names the file; asked anew each time.
    """

    def __init__(self, path: Callable[[], Path] = store.default_path) -> None:
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
                store.append(self._path(), batch, patience=patience)
        except UNUSABLE as error:
            self._warn(error)
        finally:
            self._writing.release()

    def since(self, at: float, *, patience: float = 5.0) -> list[Outcome]:
        """What is recorded since `at`, Unix time; nothing where the file is of no use."""
        try:
            return store.since(self._path(), at, patience=patience)
        except UNUSABLE as error:
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
            threading.Thread(target=self._write_on, name="fusion-tool-health", daemon=True).start()

    def _write_on(self) -> None:
        while self._news.wait():
            time.sleep(_LINGER_SECONDS)
            self._news.clear()
            self.flush()

    def _warn(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            _log.warning("the models' health is not recorded in %s: %s", self._path(), error)
