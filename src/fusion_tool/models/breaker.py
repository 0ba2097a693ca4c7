"""The circuit breaker: a model that keeps failing is set aside for a while, then given one call to prove itself.

Pattern: M. Nygard, Release It! (2007), "Circuit Breaker"; the cooling times are those of Envoy's outlier detection
(`base_ejection_time` 30 s, `max_ejection_time` 300 s).

The state is a function of the outcomes of the last ten minutes alone, so that a process that starts now comes, from
the recorded ones, to what the others know.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fusion_tool.errors import Reason
from fusion_tool.models.outcomes import COUNTED_FAILURES, Outcome

State: TypeAlias = Literal["closed", "open", "half_open"]

FAILURES = 3
"""In a row; each of them has been through the retries of one call."""
COOLING_SECONDS, LONGEST_SECONDS = 30.0, 300.0
"""How long a model is set aside at first, and at most: each failed trial doubles it."""
MEMORY_SECONDS = 600.0
"""A model that was not seen failing for so long starts afresh."""
TRIAL_SECONDS = 60.0
"""How long a trial keeps others from trying, where nothing is heard of it."""


@dataclass(frozen=True)
class BreakerStatus:
    """What the breaker makes of a model.

    Args:
        state: `closed` is in use, `open` set aside, `half_open` due for one call.
        failures: How many there were in a row.
        reason: The last one's.
        until: Unix time until which it is set aside, `None` where it is not.
    """

    state: State = "closed"
    failures: int = 0
    reason: Reason | None = None
    until: float | None = None


@dataclass
class _FailureStreak:
    """Failures in a row; `trial` is when a trial began that has not ended."""

    failures: int = 0
    last: float = 0.0
    reason: Reason | None = None
    openings: int = 0
    until: float | None = None
    trial: float | None = None


class Breaker:
    """One for many models and threads. A look takes microseconds.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._streaks: dict[str, _FailureStreak] = {}
        self._lock = threading.Lock()

    def record(self, model: str, reason: Reason | None, at: float | None = None) -> None:
        """Take in how a call ended.

        Args:
            model: Whose.
            reason: Why it gave nothing usable, `None` where it answered.
            at: When, Unix time; by default now.
        """
        at = self._clock() if at is None else at
        with self._lock:
            if reason is None:
                self._streaks.pop(model, None)
            elif reason in COUNTED_FAILURES:
                self._record_failure(model, reason, at)
            elif (streak := self._streaks.get(model)) is not None:
                streak.trial = None  # it proved nothing; the next call may be another

    def replay(self, outcomes: Iterable[Outcome]) -> None:
        """Take in what was recorded, in the order of time, of models of which nothing is known here yet."""
        now = self._clock()
        with self._lock:
            known = frozenset(self._streaks)
        for outcome in outcomes:
            if outcome.model not in known and now - MEMORY_SECONDS <= outcome.at <= now:
                self.record(outcome.model, outcome.reason, outcome.at)

    def allows(self, model: str) -> bool:
        """Whether `model` should be called now. Where that is a trial, it is the caller's, and nobody else's."""
        with self._lock:
            status = self._status(model)
            if status.state == "half_open":
                self._streaks[model].trial = self._clock()
        return status.state != "open"

    def status(self, model: str) -> BreakerStatus:
        """What is known of `model` now."""
        with self._lock:
            return self._status(model)

    def unavailable(self) -> frozenset[str]:
        """The models that are set aside now."""
        with self._lock:
            return frozenset(model for model in self._streaks if self._status(model).state == "open")

    def _record_failure(self, model: str, reason: Reason, at: float) -> None:
        streak = self._streaks.get(model)
        if streak is None or at - streak.last > MEMORY_SECONDS:
            streak = self._streaks[model] = _FailureStreak()
        streak.failures += 1
        streak.last, streak.reason = max(at, streak.last), reason
        tripped = streak.failures >= FAILURES if streak.until is None else at >= streak.until
        if tripped:  # a failure of one that is set aside, tried for want of others, says nothing new
            streak.until = at + min(COOLING_SECONDS * 2**streak.openings, LONGEST_SECONDS)
            streak.openings, streak.trial = streak.openings + 1, None

    def _status(self, model: str) -> BreakerStatus:
        streak, now = self._streaks.get(model), self._clock()
        if streak is None or now - streak.last > MEMORY_SECONDS:
            return BreakerStatus()
        state: State = "closed"
        if streak.until is not None:
            on_trial = streak.trial is not None and now - streak.trial < TRIAL_SECONDS
            state = "open" if now < streak.until or on_trial else "half_open"
        return BreakerStatus(state, streak.failures, streak.reason, streak.until)
