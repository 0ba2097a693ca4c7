"""What the nodes share that is not state: the graph's own configuration, the caller's tools, progress, deadlines."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime

from fusion_tool import health
from fusion_tool.budget import Ledger, Spent, Tab, shares
from fusion_tool.config import FusionConfig
from fusion_tool.routing.consult import Classifier
from fusion_tool.session import SESSION, Session
from fusion_tool.settings import resolve
from fusion_tool.state import Run, SeatRecord, StageRecord
from fusion_tool.stored import rebuilt, restored
from fusion_tool.usage import Stage

UNWATCHED = "fusion_unwatched"
"""Key of a run's `configurable` that says that nobody reads its stream: LangGraph's own writer does not tell."""

_FIRST_PART = 0.7


class RunContext(FusionConfig, title="FusionConfig"):
    """A graph's context; Agent Server sends an empty one where there is none, which is none."""

    def __new__(cls, **values: Any) -> FusionConfig | None:  # type: ignore[misc]  # noqa: D102 - no method of its own
        return FusionConfig(**values) if values else None


RunContext.__doc__ = FusionConfig.__doc__  # the description that Studio shows


@dataclass(frozen=True)
class Wiring:
    """What `build_graph` was given; every node is bound to it."""

    config: FusionConfig | None = None
    panel_tools: Sequence[Any] = ()
    classifier: Classifier | None = None

    def settings(self, runtime: Runtime[FusionConfig], run: Run | None = None) -> FusionConfig:
        """The run's configuration: the caller's context, else the graph's own, else what the run stored.

        What `route` decided about it stands above it.

        As a subgraph the graph receives its parent's context; one that is not a `FusionConfig` is not ours.

        Raises:
            ConfigError: None is given and no default applies.
        """
        given = self._given(runtime, run)
        health.switch(on=given.health)
        return rebuilt(given, run["decided"]) if run and run["decided"] else given

    def _given(self, runtime: Runtime[FusionConfig], run: Run | None) -> FusionConfig:
        context: object = runtime.context
        if isinstance(context, FusionConfig):
            return context
        if self.config is not None:
            return self.config
        return restored(run["config"]) if run else resolve()


class Progress:
    """Sends the run's events into the graph's custom stream."""

    def __init__(self, runtime: Runtime[Any], run: Run) -> None:
        self._write: Callable[[Any], None] = runtime.stream_writer
        self._run = run

    @property
    def is_watched(self) -> bool:
        """Whether anybody listens; where nobody does the synthesizer need not stream."""
        return bool(get_config().get("configurable", {}).get(UNWATCHED) is None)

    def emit(self, kind: str, **fields: Any) -> None:
        """Send one event of `fusion_tool.events`."""
        t = round(time.time() - self._run["started"], 3)
        self._write({"type": kind, "run_id": self._run["id"], "t": t, **fields})


def deadline(config: FusionConfig, stage: Stage, worked: float) -> float:
    """When a stage that begins now must end, on `time.monotonic`'s clock.

    Counted is time at work, not since the start, so that a run that was paused or resumed keeps what it had left.

    Args:
        config: The run's configuration.
        stage: It may use up to its share of `limits.seconds`.
        worked: Seconds that earlier stages took.
    """
    return time.monotonic() + config.limits.seconds * shares(config.strategy)[stage] - worked


def wave_seconds(config: FusionConfig, worked: float, more: int) -> float:
    """How long a wave may work, in seconds.

    Args:
        config: The run's configuration.
        worked: Seconds that the run has worked.
        more: How many waves may come after it; they are left their part.
    """
    left = config.limits.seconds * shares(config.strategy)["panelist"] - worked
    part = left if more <= 0 else left * _FIRST_PART
    return part if config.limits.seat_seconds is None else min(part, config.limits.seat_seconds)


def fair_part(until: float, models: int) -> float:
    """When the first of `models` that are left to try must be done, so that a silent one leaves time for the next.

    It gets most of the time: a strong model that thinks long is more common than a silent one.
    """
    now = time.monotonic()
    return until if models <= 1 else now + (until - now) * _FIRST_PART


def seconds_worked(records: Sequence[SeatRecord], judgement: StageRecord | None = None) -> float:
    """What a run's stages took so far: its waves one after the other, the seats of each side by side."""
    waves = {record["wave"] for record in records}
    panel = sum(max(r["seconds"] for r in records if r["wave"] == wave) for wave in waves)
    return panel + (judgement["seconds"] if judgement else 0.0)


def spent_so_far(records: Sequence[SeatRecord], judgement: StageRecord | None = None) -> Spent:
    """Dollars and tokens that a run's stages spent, or may have spent."""
    earlier = [*(record["spent"] for record in records), *([judgement["spent"]] if judgement else [])]
    return sum((Spent(usd, int(tokens)) for usd, tokens in earlier), Spent())


def ledger_after(config: FusionConfig, spent: Spent) -> Ledger:
    """The run's limits with what is spent taken off, inside what its session leaves."""
    return Ledger(
        usd=config.limits.usd,
        tokens=config.limits.tokens,
        strategy=config.strategy,
        spent=spent,
        session=session_ledger(),
    )


def session_ledger() -> Ledger | None:
    """That of the session which the run at work is part of, if any."""
    session: Session | None = get_config().get("configurable", {}).get(SESSION)
    return session.ledger if session else None


def limits_reached(tab: Tab, until: float) -> list[str]:
    """Which limit a stage that failed had run into, as marks of `degraded`."""
    marks = ["budget_exhausted"] if tab.refused else []
    return [*marks, "deadline_reached"] if time.monotonic() >= until else marks
