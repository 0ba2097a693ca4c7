"""This process's own breaker and recorder, and whether the run at work uses them."""

import asyncio
import atexit
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime
from typing import TypeVar

from fusion_tool.errors import Reason
from fusion_tool.health.breaker import MEMORY_SECONDS, Breaker, Standing
from fusion_tool.health.outcome import Outcome, name_of
from fusion_tool.health.recorder import Recorder
from fusion_tool.health.summary import ModelHealth, summed_up
from fusion_tool.panelist import Panelist
from fusion_tool.usage import Call

Number = TypeVar("Number", int, float)

_LOAD_SECONDS = 0.25
"""No run waits longer for what others learnt."""
_EXIT_SECONDS = 0.5
"""No process waits longer to write its last outcomes."""

_is_on: ContextVar[bool] = ContextVar("fusion_health", default=False)
_breaker = Breaker()
_recorder = Recorder()
_learnt = threading.Event()


def switch(*, on: bool) -> None:
    """Let the run at work, that is the caller's context and the tasks it starts, use what is below, or not."""
    _is_on.set(on)


async def prepare() -> None:
    """Learn, once a process and off the loop, how models fared in the last minutes in other processes."""
    if _learnt.is_set() or not _is_on.get():
        return
    _learnt.set()
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(learn), _LOAD_SECONDS)


def learn() -> None:
    """Learn it now, in this thread."""
    _breaker.learn(_recorder.since(time.time() - MEMORY_SECONDS, patience=_LOAD_SECONDS))


def note(outcome: Outcome) -> None:
    """Take in how a call ended; costs microseconds, and never fails."""
    if _is_on.get():
        _breaker.note(outcome.model, outcome.reason, outcome.at)
        _recorder.put(outcome)


def ended(
    panelist: Panelist,
    reason: Reason | None,
    *,
    seconds: float,
    first_token_seconds: float | None = None,
    rows: Sequence[Call] = (),
) -> None:
    """Note how a call of `panelist` ended, unless its model was given as an object.

    Args:
        panelist: Who was called.
        reason: Why there is no usable answer, `None` where there is one.
        seconds: How long it took.
        first_token_seconds: Until the answer began, `None` where unknown.
        rows: Its attempts that were, or may have been, charged; what one of them leaves unknown is unknown.
    """
    if (name := name_of(panelist)) is not None:
        note(
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


def _sum(values: Sequence[Number | None]) -> Number | None:
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known and len(known) == len(values) else None


def order(panelists: Iterable[Panelist]) -> Iterator[Panelist]:
    """The candidates of one role, in the order in which to try them: those that keep failing last, none left out.

    It is decided when the next one is asked for, so that of all who ask at once only one tries a model whose time
    of cooling is over.
    """
    aside = []
    for one in panelists:
        name = name_of(one)
        if name is None or not _is_on.get() or _breaker.admits(name):
            yield one
        else:
            aside.append(one)
    yield from aside


def standing(model: str) -> Standing:
    """What is known of a model, by the name that `name_of` gives it."""
    return _breaker.standing(model)


def unavailable() -> frozenset[str]:
    """The names of the models that keep failing and are set aside now; none where the run does not use health."""
    return _breaker.unavailable() if _is_on.get() else frozenset()


def summary(since: datetime) -> list[ModelHealth]:
    """How every model fared since then, the most called first.

    Where the file is locked or unreadable there is one warning, and nothing.
    """
    _recorder.flush()
    return summed_up(_recorder.since(since.timestamp()))


atexit.register(_recorder.flush, _EXIT_SECONDS)
