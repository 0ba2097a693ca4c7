"""A session: several runs under one set of limits, besides the limits of each run.

Dollars and tokens are reserved in the session's ledger with every call of every run. Seconds are time at work, summed
over the runs: each reserves what it may take when it begins, and gives back what it did not use.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

from fusion_tool.budget.ledger import Ledger
from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Limits
from fusion_tool.errors import BudgetExceeded, ConfigError

SESSION_KEY = "fusion_session"
"""Key of a run's `configurable` that holds the `Session` which the run is part of."""

_KINDS = ("usd", "tokens", "seconds")
_MIN_SECONDS = 1.0
"""With less time left a run is not worth beginning."""


class SessionSpent(NamedTuple):
    """The spending of a session's runs: US dollars, tokens, and seconds at work, those under way included.

    Under a limit an unknown cost counts with what it may be at most; without one it does not count.
    """

    usd: float
    tokens: int
    seconds: float


class Session:
    """The limits of several runs together; the runs may be in different threads.

    Args:
        limits: Only `usd`, `tokens` and `seconds` can hold for several runs, and only where they are set: the default
            of `Limits.seconds` is for one run. `None` sets no limit, and only counts.
        on_call: Gets the row of every call, those of runs that are cancelled too; `None` needs none.
        outer: A session on whose dollars and tokens it draws, too, and which counts its seconds; `None` for none.

    Raises:
        ConfigError: `limits` sets what holds for one run alone.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        on_call: Callable[[Call], None] | None = None,
        *,
        outer: "Session | None" = None,
    ) -> None:
        # Only what was set: by its default of `seconds` a session would end after the time of a single run.
        explicit = limits.model_dump(include=limits.model_fields_set) if limits else {}
        for field in explicit:
            if field not in _KINDS:
                raise ConfigError("holds for one run; set it under limits", field=f"session_limits.{field}")
        # Without a limit the ledger counts all the same: `spent` is there for sessions that only want to know.
        self.ledger: Ledger = Ledger(
            usd=explicit.get("usd"),
            tokens=explicit.get("tokens"),
            session=outer.ledger if outer else None,
            on_call=on_call,
        )
        self._outer = outer
        self._limit: float | None = explicit.get("seconds")
        self._seconds, self._lock = 0.0, Lock()

    @property
    def spent(self) -> SessionSpent:
        """What the runs took until now."""
        return SessionSpent(*self.ledger.spent, self._seconds)

    @property
    def is_used(self) -> bool:
        """Whether a call or a paid search has begun, so that somebody may have to pay for it."""
        return self.ledger.is_used

    @contextmanager
    def run(self, seconds: float) -> Iterator[float | None]:
        """Count the time of one run, which works inside the context.

        Args:
            seconds: How long the run may take by its own limit.

        Yields:
            Seconds that it may take: its own limit, or what the session leaves where that is less; `None` where the
            session has no limit of time.

        Raises:
            BudgetExceeded: The session's seconds are used up.
        """
        # Reserved whole at the beginning: two runs at once must not both be promised the session's last minute.
        started, reservation = time.monotonic(), self._reserve(seconds)
        try:
            yield reservation or None
        finally:
            # Also after a failure or cancellation: the time was spent, and the rest of the reservation is free again.
            worked = time.monotonic() - started
            self._count(worked - reservation)
            if self._outer:
                self._outer._count(worked)  # noqa: SLF001 - another session's

    def _count(self, seconds: float) -> None:
        with self._lock:
            self._seconds += seconds

    def _reserve(self, seconds: float) -> float:
        """Return the seconds that are reserved; 0 where the session has no limit of time."""
        if self._limit is None:
            return 0.0
        with self._lock:
            left = self._limit - self._seconds
            if left < _MIN_SECONDS:
                raise BudgetExceeded("seconds", _MIN_SECONDS, max(left, 0.0), limits="session_limits")
            reservation = min(seconds, left)
            self._seconds += reservation
        return reservation
