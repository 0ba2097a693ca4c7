"""A session: several runs under one set of limits, beside each one's own.

Dollars and tokens are reserved in the session's ledger with every call of every run. Seconds are time at work, summed
over the runs: each reserves what it may take when it begins, and gives back what it did not use.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from fusion_tool.budget.ledger import Ledger
from fusion_tool.config.schema import Limits
from fusion_tool.errors import BudgetExceeded, ConfigError

SESSION_KEY = "fusion_session"
"""Key of a run's `configurable` under which it finds the `Session` that it is part of."""

_KINDS = ("usd", "tokens", "seconds")
_LEAST_SECONDS = 1.0
"""With less time a run is not worth beginning."""


class SessionSpent(NamedTuple):
    """What a session's runs took: dollars, tokens, and seconds at work, those under way included.

    Under a limit an unknown cost counts with what it may be at most; without one it does not count.
    """

    usd: float
    tokens: int
    seconds: float


class Session:
    """What the runs of one session may take together; any thread may run them.

    Args:
        limits: Of them only `usd`, `tokens` and `seconds` can hold for several runs, and only where they are given:
            the default of `Limits.seconds` is one run's.

    Raises:
        ConfigError: `limits` sets what holds for one run alone.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        given = limits.model_dump(include=limits.model_fields_set) if limits else {}
        for field in given:
            if field not in _KINDS:
                raise ConfigError("holds for one run; set it under limits", field=f"session_limits.{field}")
        self.ledger = Ledger(usd=given.get("usd"), tokens=given.get("tokens"))
        self._limit: float | None = given.get("seconds")
        self._seconds, self._lock = 0.0, Lock()

    @property
    def spent(self) -> SessionSpent:
        """What the runs so far took."""
        return SessionSpent(*self.ledger.spent, self._seconds)

    @contextmanager
    def run(self, seconds: float) -> Iterator[float]:
        """Do one run's work inside.

        Args:
            seconds: How long it may take.

        Yields:
            How long it may take by what the session leaves.

        Raises:
            BudgetExceeded: The session's seconds are used up.
        """
        started, reservation = time.monotonic(), self._reserve(seconds)
        try:
            yield reservation or seconds
        finally:
            with self._lock:
                self._seconds += time.monotonic() - started - reservation

    def _reserve(self, seconds: float) -> float:
        if self._limit is None:
            return 0.0
        with self._lock:
            left = self._limit - self._seconds
            if left < _LEAST_SECONDS:
                raise BudgetExceeded("seconds", _LEAST_SECONDS, max(left, 0.0), limits="session_limits")
            reservation = min(seconds, left)
            self._seconds += reservation
        return reservation
