"""Limits of a run's stages: deadlines, ledgers and the quorum gate.

Every seat is a graph branch of its own, so the seats of one wave find their common gate and ledger by a key that is the
same for all of them and for no other wave.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from weakref import WeakValueDictionary

from langgraph.config import get_config

from fusion_tool.budget.ledger import Ledger, Spent
from fusion_tool.budget.session import SESSION_KEY, Session
from fusion_tool.budget.usage import StageName
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.state import SeatRecord, StageRecord
from fusion_tool.graph.strategies import strategy_named

_FIRST_PART = 0.7
"""Share of the time that the first of several gets, waves or models; the others have the rest."""


def stage_deadline(config: FusionConfig, stage: StageName, worked: float) -> float:
    """Return when a stage that begins now must end, on `time.monotonic`'s clock.

    Counted is time at work, not since the start, so that a run that was paused or resumed keeps what it had left.

    Args:
        config: The run's configuration.
        stage: The stage, which may use up to its share of the run's.
        worked: Seconds that earlier stages took.
    """
    return time.monotonic() + run_seconds(config) * strategy_named(config.strategy).shares_of(config)[stage] - worked


def wave_seconds(config: FusionConfig, worked: float, later_waves: int) -> float:
    """Return how long a wave may work, in seconds.

    Args:
        config: The run's configuration.
        worked: Seconds that the run has worked.
        later_waves: How many waves may come after it, for which a part is left.
    """
    left = run_seconds(config) * strategy_named(config.strategy).shares_of(config)["panelist"] - worked
    # A later wave is the exception: the one at hand must not starve for it.
    return left if later_waves <= 0 else left * _FIRST_PART


def share_of_deadline(deadline: float, models: int) -> float:
    """Return when the first of `models` left to try must be done, so that a silent one leaves time for the next.

    It gets most of the time: a strong model that thinks long is more common than a silent one.
    """
    now = time.monotonic()
    return deadline if models <= 1 else now + (deadline - now) * _FIRST_PART


def elapsed_work(records: Sequence[SeatRecord], *stages: StageRecord | None) -> float:
    """Return the seconds that a run's stages took: its waves one after the other, the seats of each side by side."""
    # Not from the run's start: a run that waited for hours between two of its steps has not worked in them.
    waves = {record["wave"] for record in records}
    panel = sum(max(0.0, *(r["seconds"] for r in records if r["wave"] == wave)) for wave in waves)
    return panel + sum(max(0.0, stage["seconds"]) for stage in stages if stage)


def spent_so_far(records: Sequence[SeatRecord], *stages: StageRecord | None) -> Spent:
    """Return the dollars and tokens that a run's stages spent, or may have spent."""
    earlier = [*(record["spent"] for record in records), *(stage["spent"] for stage in stages if stage)]
    # The state holds both as numbers of one list, so that tokens may come back from JSON as floats. None is below 0: an
    # edited checkpoint must not earn anything.
    return sum((Spent(max(0.0, usd), max(0, int(tokens))) for usd, tokens in earlier), Spent())


def run_ledger(config: FusionConfig, spent: Spent) -> Ledger:
    """Return the run's limits with what is spent taken off, inside what its session leaves."""
    return Ledger(
        usd=config.limits.usd,
        tokens=config.limits.tokens,
        shares=strategy_named(config.strategy).shares_of(config),
        spent=spent,
        session=session_ledger(),
    )


def session_ledger() -> Ledger | None:
    """Return the ledger of the session that the current run is part of, `None` where there is none."""
    session: Session | None = get_config().get("configurable", {}).get(SESSION_KEY)
    return session.ledger if session else None


# Weak, so that a wave's limits end with its seats and a process that runs for months keeps none of them.
_waves: WeakValueDictionary[str, "WaveLimits"] = WeakValueDictionary()


_OPEN = nullcontext()


class LateSeatError(Exception):
    """The gate closed while this seat was still at work."""


class QuorumGate:
    """Closes `grace_seconds` after the `quorum`-th seat has answered; with no quorum it stays open."""

    def __init__(self, *, quorum: int | None, grace_seconds: float) -> None:
        self._quorum = quorum
        self._grace = grace_seconds
        self._answered: set[str] = set()
        self._inside: set[asyncio.Timeout] = set()
        self._closes_at: float | None = None

    def record_answer(self, seat: str) -> None:
        """Count the usable answer of `seat`, once; the quorum's last one sets the time to close."""
        # By name: after a resume every seat of the wave reports those that had answered before.
        self._answered.add(seat)
        if self._quorum is None or len(self._answered) < self._quorum or self._closes_at is not None:
            return
        self._closes_at = asyncio.get_running_loop().time() + self._grace
        # Seats that enter from now on find the time in `admit`; those at work have theirs moved.
        for scope in self._inside:
            scope.reschedule(self._closes_at)

    def admit(self) -> AbstractAsyncContextManager[None]:
        """Enclose a seat's work.

        Raises:
            LateSeatError: The gate closed first; the work was cancelled.
        """
        return _OPEN if self._quorum is None else self._enclose()

    @asynccontextmanager
    async def _enclose(self) -> AsyncIterator[None]:
        scope = asyncio.timeout_at(self._closes_at)
        try:
            async with scope:
                self._inside.add(scope)
                try:
                    yield
                finally:
                    self._inside.discard(scope)
        except TimeoutError:
            # The work may have run into a time limit of its own, which is not the gate's.
            if scope.expired():
                raise LateSeatError from None
            raise


@dataclass(eq=False)
class WaveLimits:
    """What bounds the seats of one wave together: the quorum's gate, and the ledger of the run's limits."""

    gate: QuorumGate
    ledger: Ledger


def shared_limits(key: str, limits: Limits, ledger: Ledger) -> WaveLimits:
    """Return the limits of the wave `key`, shared by all who hold them; they go with the last of these.

    Args:
        key: Names the wave of a run.
        limits: The run's, with the quorum and its grace period.
        ledger: The run's limits as they stand before the wave; of several given for one key the first is used.
    """
    wave = _waves.get(key)
    if wave is None:
        gate = QuorumGate(quorum=limits.quorum, grace_seconds=limits.grace_seconds)
        wave = _waves[key] = WaveLimits(gate, ledger)
    return wave
