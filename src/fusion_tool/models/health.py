"""How models fare, remembered across runs: who is tried last, who is gone, what is shown.

It holds the process's tracker, which a run gets unless its configuration says `health = false`. A model that its
provider has withdrawn is remembered for the process, so that later runs do not pay for the failed call again.
"""

import asyncio
import atexit
import math
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import Reason
from fusion_tool.models.breaker import MEMORY_SECONDS, Breaker, BreakerStatus
from fusion_tool.models.faults import Fault
from fusion_tool.models.outcomes import INTERRUPTED, Outcome, OutcomeRecorder, health_key
from fusion_tool.models.providers import endpoint_for, has_own_server


@dataclass(frozen=True)
class ModelHealth:
    """The statistics of one model. Whether others agreed with it is not in here: a dissenter may be right.

    Args:
        model: Its `fusion_tool.models.outcomes.health_key`.
        calls: Number of calls.
        answered: Calls that gave a usable answer.
        cut: Calls that were broken off, being late or no longer needed: neither answered nor failed.
        failed: The other calls, by reason.
        first_token_p50: Median seconds until the answer began, where known; `None` where it never is.
        first_token_p90: Seconds within which nine of ten answers began; `None` likewise.
        seconds_p50: Median seconds of the answered calls, retries included; `None` without any.
        cost_usd: US dollars of the calls whose cost is known; `None` where none is.
        unpriced: Answered calls that the sum leaves out.
        input_tokens: Sum of the known prompt tokens; `None` where none is known.
        output_tokens: Sum of the known answer tokens; `None` likewise.
    """

    model: str
    calls: int
    answered: int
    cut: int
    failed: Mapping[Reason, int]
    first_token_p50: float | None
    first_token_p90: float | None
    seconds_p50: float | None
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None

    @property
    def answered_share(self) -> float | None:
        """Share (0 to 1) of answered calls among those that were not broken off; `None` without any."""
        finished = self.calls - self.cut
        return self.answered / finished if finished else None


def summarize_outcomes(outcomes: Iterable[Outcome]) -> list[ModelHealth]:
    """Sum up `outcomes` in a row for each model, the most called first."""
    by_model: defaultdict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_model[outcome.model].append(outcome)
    rows = [_row(model, calls) for model, calls in by_model.items()]
    return sorted(rows, key=lambda row: (-row.calls, row.model))


def _row(model: str, calls: Sequence[Outcome]) -> ModelHealth:
    answers = [call for call in calls if call.reason is None]
    reasons = Counter(call.reason for call in calls if call.reason is not None)
    first = [call.first_token_seconds for call in calls if call.first_token_seconds is not None]
    costs = [call.cost_usd for call in calls if call.cost_usd is not None]
    return ModelHealth(
        model=model,
        calls=len(calls),
        answered=len(answers),
        cut=sum(reasons[reason] for reason in INTERRUPTED),
        failed={reason: count for reason, count in reasons.most_common() if reason not in INTERRUPTED},
        first_token_p50=quantile(first, 0.5),
        first_token_p90=quantile(first, 0.9),
        seconds_p50=quantile([call.seconds for call in answers], 0.5),
        cost_usd=math.fsum(costs) if costs else None,
        unpriced=sum(call.cost_usd is None for call in answers),
        input_tokens=_total(call.input_tokens for call in calls),
        output_tokens=_total(call.output_tokens for call in calls),
    )


def quantile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest of `values` that `share` (0 to 1) of them do not exceed, the nearest rank; `None` of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def _total(counts: Iterable[int | None]) -> int | None:
    numbers = [count for count in counts if count is not None]
    return sum(numbers) if numbers else None


Number = TypeVar("Number", int, float)

_LOAD_SECONDS = 0.25
"""No run waits longer for what others learnt."""
_EXIT_SECONDS = 0.5
"""No process waits longer to write its last outcomes."""


class HealthTracker:
    """A process's knowledge of how models fare: its circuit breaker, and the recorder of the file that all share.

    A run with `health = false` is handed none.
    """

    def __init__(self) -> None:
        self._breaker = Breaker()
        self._recorder = OutcomeRecorder()
        self._has_loaded = threading.Event()

    async def load_recent(self) -> None:
        """Learn, once a process and off the loop, how models fared in the last minutes in other processes."""
        if self._has_loaded.is_set():
            return
        self._has_loaded.set()  # before the file is read: runs that begin at once read it once
        # Nothing is lost by the timeout: a thread cannot be cancelled, and what it reads is replayed when it is done.
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.to_thread(self.load_recent_now), _LOAD_SECONDS)

    def load_recent_now(self) -> None:
        """Do what `load_recent` does, now and in this thread."""
        self._breaker.replay(self._recorder.since(time.time() - MEMORY_SECONDS, patience=_LOAD_SECONDS))

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
            self.record(
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
        return name is None or self._breaker.allows(name)

    def status(self, model: str) -> BreakerStatus:
        """Return what is known of a model, by the name that `health_key` gives it."""
        return self._breaker.status(model)

    def unavailable(self) -> frozenset[str]:
        """Return the names of the models that keep failing and are set aside now."""
        return self._breaker.unavailable()

    def statistics(self, since: datetime) -> list[ModelHealth]:
        """Return how every model fared since then, the most called first.

        Where the file is locked or unreadable there is one warning, and nothing.
        """
        self._recorder.flush()  # this process's latest outcomes may still wait for the thread that writes them
        return summarize_outcomes(self._recorder.since(since.timestamp()))

    def flush(self, patience: float) -> None:
        """Write what waits, within `patience` seconds."""
        self._recorder.flush(patience)


TRACKER = HealthTracker()
"""The process's own."""
# The thread that writes is a daemon, and ends with the process wherever it is: a short command would record nothing.
atexit.register(lambda: TRACKER.flush(_EXIT_SECONDS))


def tracker_for(config: FusionConfig) -> HealthTracker | None:
    """Return the process's tracker; `None` where the configuration does without."""
    return TRACKER if config.health else None


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
    since, fault = _withdrawn.get((endpoint_for(panelist), panelist.model_name), (0.0, None))
    if fault is None or time.monotonic() - since > _WITHDRAWN_SECONDS:
        return None
    return Fault(fault.reason, f"{fault.message} (remembered)", fault.status_code)
