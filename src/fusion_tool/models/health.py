"""How models fare, remembered across runs: who is tried last, who is gone, what is shown.

It holds the process's tracker, which a run gets unless its configuration says `health = false`. A model that its
provider has withdrawn is remembered for the process, so that later runs do not pay for the failed call again.
"""

import asyncio
import atexit
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from fusion_tool.budget.usage import Call
from fusion_tool.config.database import database_address
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import Reason
from fusion_tool.models.breaker import MEMORY_SECONDS, Breaker, BreakerStatus
from fusion_tool.models.faults import Fault
from fusion_tool.models.health_statistics import ModelHealth, summarize_outcomes
from fusion_tool.models.outcomes import (
    Outcome,
    OutcomeRecorder,
    OutcomeStore,
    PostgresOutcomes,
    SqliteOutcomes,
    health_key,
)
from fusion_tool.models.providers import endpoint_for, has_own_server

Number = TypeVar("Number", int, float)

_LOAD_SECONDS = 0.25
"""No run waits longer for what others learnt."""
_RELOAD_SECONDS = 30.0
"""How often a process looks what those on other machines saw: the time for which a failing model is set aside first."""
_EXIT_SECONDS = 0.5
"""No process waits longer to write its last outcomes."""


class HealthTracker:
    """A process's knowledge of how models fare: its circuit breaker, and the recorder of what all share.

    A run with `health = false` is handed none.

    Args:
        store: Where the processes keep what they share.
        reload_seconds: After how long to learn again what the others saw; infinite for once a process.
        own: The tracker of models on servers of the user's own, where `store` is shared with other machines: under the
            same name each of them has another one. `None` keeps them here, too.
    """

    def __init__(
        self, store: OutcomeStore, reload_seconds: float = math.inf, own: "HealthTracker | None" = None
    ) -> None:
        self._breaker, self._own = Breaker(), own
        self._recorder = OutcomeRecorder(store)
        self._reload_seconds, self._loaded_at = reload_seconds, -math.inf

    async def load_recent(self) -> None:
        """Learn, off the loop, how models fared in the last minutes in other processes, where that is due."""
        now = time.monotonic()
        if now - self._loaded_at < self._reload_seconds:
            return
        self._loaded_at = now  # before anything is read: of runs that begin at once one reads
        # Nothing is lost by the timeout: a thread cannot be cancelled, and what it reads is replayed when it is done.
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(self.load_recent_now), _LOAD_SECONDS)

    def load_recent_now(self) -> None:
        """Do what `load_recent` does, now and in this thread."""
        self._breaker.replay(self._recorder.since(time.time() - MEMORY_SECONDS, patience=_LOAD_SECONDS))
        if self._own:
            self._own.load_recent_now()

    def record(self, outcome: Outcome) -> None:
        """Take in how a call ended; costs microseconds, and never fails."""
        self._breaker.record(outcome.model, outcome.reason, outcome.at)
        self._recorder.put(outcome)

    def record_call(
        self,
        panelist: Panelist,
        reason: Reason | None,
        *,
        seconds: float,
        first_token_seconds: float | None = None,
        rows: Sequence[Call] = (),
    ) -> None:
        """Record how a call of `panelist` ended, unless its model was given as an object.

        Args:
            panelist: Who was called.
            reason: Why there is no usable answer, `None` where there is one.
            seconds: How long it took.
            first_token_seconds: Until the answer began, `None` where unknown.
            rows: Its attempts that were, or may have been, charged; what one of them leaves unknown is unknown.
        """
        if (name := health_key(panelist)) is not None:
            self._tracker_of(panelist).record(
                Outcome(
                    name,
                    reason,
                    seconds,
                    first_token_seconds,
                    _sum([row.cost_usd for row in rows]),
                    _sum([row.input_tokens for row in rows]),
                    _sum([row.output_tokens for row in rows]),
                    time.time(),
                )
            )

    def allows(self, panelist: Panelist) -> bool:
        """Return whether the panelist's model is to be tried in its turn; one that cools down, by one caller alone."""
        name = health_key(panelist)
        return name is None or self._tracker_of(panelist)._breaker.allows(name)  # noqa: SLF001 - another tracker's

    def status(self, model: str) -> BreakerStatus:
        """Return what is known of a model, by the name that `health_key` gives it."""
        own = self._own.status(model) if self._own else BreakerStatus()
        return own if own.failures else self._breaker.status(model)

    def unavailable(self) -> frozenset[str]:
        """Return the names of the models that keep failing and are set aside now."""
        return self._breaker.unavailable() | (self._own.unavailable() if self._own else frozenset())

    def statistics(self, since: datetime) -> list[ModelHealth]:
        """Return how every model fared since then, the most called first.

        Where nothing can be read there is one warning, and nothing.
        """
        return summarize_outcomes(self._outcomes_since(since.timestamp()))

    def _outcomes_since(self, at: float) -> list[Outcome]:
        self._recorder.flush()  # this process's latest outcomes may still wait for the thread that writes them
        own = self._own._outcomes_since(at) if self._own else []  # noqa: SLF001 - another tracker's
        return self._recorder.since(at) + own

    def _tracker_of(self, panelist: Panelist) -> "HealthTracker":
        return self._own if self._own and has_own_server(panelist) else self

    def flush(self, patience: float) -> None:
        """Write what waits, within `patience` seconds."""
        self._recorder.flush(patience)


TRACKER = HealthTracker(SqliteOutcomes())
"""The process's own, where there is no shared database."""
_shared: dict[str, HealthTracker] = {}
"""The process's trackers by the address of their database."""


def tracker_at(address: str | None) -> HealthTracker:
    """Return the process's tracker of a shared database; of the user's data folder where `address` is `None`."""
    if address is None:
        return TRACKER
    # Two threads at once may both make one; `setdefault` keeps the first.
    return _shared.get(address) or _shared.setdefault(
        address, HealthTracker(PostgresOutcomes(address), _RELOAD_SECONDS, own=TRACKER)
    )


def tracker_for(config: FusionConfig) -> HealthTracker | None:
    """Return the process's tracker; `None` where the configuration does without."""
    return tracker_at(database_address(config)) if config.health else None


@atexit.register
def _flush_all() -> None:
    # The thread that writes is a daemon, which ends with the process wherever it is: a short command recorded nothing.
    for tracker in (TRACKER, *_shared.values()):
        tracker.flush(_EXIT_SECONDS)


def _sum(values: Sequence[Number | None]) -> Number | None:
    # One unknown attempt makes the call's sum unknown: as a sum of the others it would be too low, and look exact.
    numbers = [value for value in values if value is not None]
    return sum(numbers[1:], numbers[0]) if numbers and len(numbers) == len(values) else None


def by_availability(panelists: Iterable[Panelist], health: HealthTracker | None) -> Iterator[Panelist]:
    """Yield the candidates of one role in the order in which to try them: those that keep failing last, none left out.

    Each candidate is decided on only when the loop asks for it, so that of all callers only one tries a model whose
    cooling time is over.

    Args:
        panelists: The candidates, the preferred one first.
        health: What is known of them; `None` keeps their order.
    """
    # `allows` takes the trial of a model that is due for one, so a list made in advance would take trials for models
    # that are then not needed.
    aside = []
    for panelist in panelists:
        if health is None or health.allows(panelist):
            yield panelist
        else:
            aside.append(panelist)
    yield from aside


_WITHDRAWN_SECONDS = 3600.0
"""A withdrawal may be a provider's mistake: a process that runs for days tries again."""
_GONE_STATUSES = frozenset({404, 410})

# By endpoint, too: what one server no longer has, another may still serve under the same name.
_withdrawn: dict[tuple[str | None, str], tuple[float, Fault]] = {}


def remember_withdrawn(panelist: Panelist, fault: Fault) -> None:
    """Remember that the panelist's model is gone, where that is what `fault` says."""
    # OpenRouter answers 404, too, to a parameter that none of the model's endpoints supports.
    is_parameter = fault.rejects("tools", "tool_choice", "response_format")
    is_gone = fault.reason == "model_unavailable" and fault.status_code in _GONE_STATUSES and not is_parameter
    # On a server of the user's own a model is missing until the user loads it, which may be at once.
    if is_gone and not has_own_server(panelist):
        _withdrawn[endpoint_for(panelist), panelist.model_name] = (time.monotonic(), fault)


def withdrawn_fault(panelist: Panelist) -> Fault | None:
    """Return the fault that told, within the last hour, that the panelist's model is gone; `None` without one."""
    if not _withdrawn:  # as nearly always: the key takes longer than the look
        return None
    since, fault = _withdrawn.get((endpoint_for(panelist), panelist.model_name), (0.0, None))
    if fault is None or time.monotonic() - since > _WITHDRAWN_SECONDS:
        return None
    return Fault(fault.reason, f"{fault.message} (remembered)", fault.status_code)
