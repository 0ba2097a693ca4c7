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

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]

FAILURES = 3
"""Failures in a row that open the breaker; each of them has been through the retries of one call."""
COOLING_SECONDS, LONGEST_SECONDS = 30.0, 300.0
"""How long a model is set aside at first, and at most: each failed trial doubles it."""
MEMORY_SECONDS = 600.0
"""A model that has not failed for so long starts afresh."""
TRIAL_SECONDS = 60.0
"""How long a trial keeps other callers from trying, where its outcome never comes."""


@dataclass(frozen=True)
class BreakerStatus:
    """A model's state in the breaker.

    Args:
        state: `closed` is in use, `open` set aside, `half_open` due for one call.
        failures: Failures in a row until now.
        reason: Why the last of them failed, `None` where there is none.
        until: Unix time until which the model is set aside, `None` where it never was.
    """

    state: BreakerState = "closed"
    failures: int = 0
    reason: Reason | None = None
    until: float | None = None


@dataclass
class _FailureStreak:
    """Failures in a row of one model; `trial` is the Unix time at which a trial began that has not ended."""

    failures: int = 0
    last: float = 0.0
    reason: Reason | None = None
    openings: int = 0
    until: float | None = None
    trial: float | None = None


class Breaker:
    """The circuit breakers of any number of models, shared by threads; a look takes microseconds.

    Args:
        clock: Gives Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._streaks: dict[str, _FailureStreak] = {}
        self._lock = threading.Lock()

    def record(self, model: str, reason: Reason | None, at: float | None = None) -> None:
        """Record how a call ended.

        Args:
            model: The called model's health key.
            reason: Why it gave nothing usable, `None` where it answered.
            at: Unix time at which it ended, `None` for now.
        """
        at = self._clock() if at is None else at
        with self._lock:
            if reason is None:
                self._streaks.pop(model, None)
            elif reason in COUNTED_FAILURES:
                self._record_failure(model, reason, at)
            elif (streak := self._streaks.get(model)) is not None:
                streak.trial = None  # the trial was broken off and proved nothing: the next caller may try

    def replay(self, outcomes: Iterable[Outcome]) -> None:
        """Record `outcomes`, ordered by time, of the models of which nothing is known here yet."""
        now = self._clock()
        with self._lock:
            # What this process saw itself is newer than what it reads, and may be in there a second time.
            known_models = frozenset(self._streaks)
        for outcome in outcomes:
            # Not after now: a row that was written while the clock was wrong would set its model aside until then.
            if outcome.model not in known_models and now - MEMORY_SECONDS <= outcome.at <= now:
                self.record(outcome.model, outcome.reason, outcome.at)

    def allows(self, model: str) -> bool:
        """Tell whether `model` should be called now; where that is a trial, only this caller is told yes."""
        with self._lock:
            status = self._status(model)
            # Looking takes the trial, under the same lock: two callers who look at once must not both be told yes.
            if status.state == "half_open":
                self._streaks[model].trial = self._clock()
        return status.state != "open"

    def status(self, model: str) -> BreakerStatus:
        """Return the state of `model` now."""
        with self._lock:
            return self._status(model)

    def unavailable(self) -> frozenset[str]:
        """Return the models that are set aside now."""
        with self._lock:
            return frozenset(model for model in self._streaks if self._status(model).state == "open")

    def _record_failure(self, model: str, reason: Reason, at: float) -> None:
        streak = self._streaks.get(model)
        if streak is None or at - streak.last > MEMORY_SECONDS:
            streak = self._streaks[model] = _FailureStreak()
        streak.failures += 1
        streak.last, streak.reason = max(at, streak.last), reason
        # A model that is set aside may still be called for want of others: failing then says nothing new, and must not
        # prolong its time. Only a failure after that time, a trial's, doubles it.
        tripped = streak.failures >= FAILURES if streak.until is None else at >= streak.until
        if tripped:
            streak.until = at + min(COOLING_SECONDS * 2**streak.openings, LONGEST_SECONDS)
            streak.openings, streak.trial = streak.openings + 1, None

    def _status(self, model: str) -> BreakerStatus:
        streak, now = self._streaks.get(model), self._clock()
        if streak is None or now - streak.last > MEMORY_SECONDS:
            return BreakerStatus()
        state: BreakerState = "closed"
        if streak.until is not None:
            # A trial that never reports, as its process died, must not keep the model out for ever.
            on_trial = streak.trial is not None and now - streak.trial < TRIAL_SECONDS
            state = "open" if now < streak.until or on_trial else "half_open"
        return BreakerStatus(state, streak.failures, streak.reason, streak.until)
