"""What nodes share that is not state: the graph's options, the run's events, and the stage that a node works in."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_core.runnables.config import var_child_runnable_config
from langgraph.runtime import Runtime

from fusion_tool.budget.ledger import Spent, StageBudget
from fusion_tool.budget.usage import Call, StageName
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.serialization import apply_decision, load_stored_config
from fusion_tool.events import Event, EventStamp
from fusion_tool.graph.limits import WaveLimits, elapsed_work, run_ledger, shared_limits, spent_so_far, stage_deadline
from fusion_tool.graph.resume import prior_attempts
from fusion_tool.graph.state import Failure, FusionState, Run, SeatRecord, SeatTask, records_of_run
from fusion_tool.models.call import CallContext
from fusion_tool.models.health import HealthTracker, tracker_for
from fusion_tool.routing.classifier.classify import Classifier

LISTENER_KEY = "fusion_listener"
"""Key of a run's `configurable`: what its events are given to; `None` for nobody, without it LangGraph's stream."""


class RunContext(FusionConfig, title="FusionConfig"):
    """A graph's context, as LangGraph builds it of what a client sends; an empty one counts as none."""

    # Agent Server sends `{}` where its caller sent no context, and a configuration without a panel would be refused.
    def __new__(cls, **values: Any) -> FusionConfig | None:  # type: ignore[misc]  # noqa: D102 - no method of its own
        return FusionConfig(**values) if values else None


RunContext.__doc__ = FusionConfig.__doc__  # the description that Studio shows


@dataclass(frozen=True)
class GraphOptions:
    """What `build_graph` was given; every node is bound to it."""

    config: FusionConfig | None = None
    panel_tools: Sequence[Any] = ()
    classifier: Classifier | None = None

    def config_for(self, runtime: Runtime[FusionConfig], run: Run | None = None) -> FusionConfig:
        """Return the run's configuration: the caller's context, else the graph's own, else what the run stored.

        What `route` decided about it stands above it.

        Args:
            runtime: The node's runtime, with the context.
            run: The run's facts; `None` before there are any.

        Raises:
            ConfigError: There is no configuration, and no default applies.
        """
        base = self._base_config(runtime, run)
        return apply_decision(base, run["decided"]) if run and run["decided"] else base

    def _base_config(self, runtime: Runtime[FusionConfig], run: Run | None) -> FusionConfig:
        # As a subgraph the graph receives its parent's context: one that is no `FusionConfig` is not meant for it.
        context: object = runtime.context
        if isinstance(context, FusionConfig):
            return context
        if self.config is not None:
            return self.config
        return load_stored_config(run["config"]) if run else resolve_config()


class EventEmitter:
    """Sends the run's events to its listener, else into the graph's custom stream."""

    def __init__(self, runtime: Runtime[Any], run: Run) -> None:
        configurable = (var_child_runnable_config.get() or {}).get("configurable") or {}
        # Where nobody reads the custom stream LangGraph's writer does nothing.
        self._listener: Callable[[Any], None] | None = configurable.get(LISTENER_KEY, runtime.stream_writer)
        self._run = run

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self._run["id"]

    @property
    def is_watched(self) -> bool:
        """Whether anybody listens; where nobody does the synthesizer need not stream."""
        return self._listener is not None

    @property
    def stamp(self) -> EventStamp:
        """What an event that is sent now has in common with all others."""
        return event_stamp(self._run)

    def emit(self, event: Event) -> None:
        """Send one event."""
        if self._listener is not None:
            self._listener(event)

    def tell(self, make: Callable[..., Event], *facts: Any) -> None:
        """Send what `make` makes of `facts` and the stamp: some events take longer than a look whether anybody listens.

        Args:
            make: Makes the event; its last argument is the stamp.
            facts: Its other arguments.
        """
        if self._listener is not None:
            self._listener(make(*facts, self.stamp))


@dataclass(frozen=True)
class Stage:
    """What a node that asks models works with; opened at its first line.

    Args:
        name: Which stage of the run it is.
        config: The run's configuration.
        events: Where its events go.
        records: The seats' records of this run, in the panel's order.
        deadline: When it must be done, on `time.monotonic`'s clock.
        budget: What the run's limits leave for it.
        calls: The bill; it begins with the attempts of a process that died.
        health: How models fare; `None` where the run does without.
        failures: Those of its models, in their order.
    """

    name: StageName
    config: FusionConfig
    events: EventEmitter
    records: list[SeatRecord]
    deadline: float
    budget: StageBudget
    calls: list[Call]
    health: HealthTracker | None
    failures: list[Failure] = field(default_factory=list, kw_only=True)

    @classmethod
    async def open(
        cls, options: GraphOptions, state: FusionState, runtime: Runtime[FusionConfig], name: StageName
    ) -> Self:
        """Open the stage of the judge, the synthesizer or the verifier.

        Args:
            options: The graph's options.
            state: The graph's state.
            runtime: The node's runtime.
            name: `judge`, `synthesizer` or `verifier`; the last only where the configuration has one.
        """
        config, records = options.config_for(runtime, state["run"]), records_of_run(state)
        # What the stage itself did in an earlier run on the thread is none of this one's.
        done = (state["judgement"], state["synthesis"] if name == "verifier" else None)
        before = await prior_attempts(runtime)
        writer = config.synthesizer_or_default
        owner = {"judge": config.judge_or_default, "verifier": config.verifier}.get(name) or writer
        return cls(
            name=name,
            config=config,
            events=EventEmitter(runtime, state["run"]),
            records=records,
            deadline=stage_deadline(config, name, elapsed_work(records, *done)),
            budget=before.stage_budget(run_ledger(config, spent_so_far(records, *done)), name),
            calls=before.calls(name, owner.model_name),
            health=tracker_for(config),
        )

    def limit_marks(self) -> list[str]:
        """Return which limits the stage has run into, as marks of `degraded`."""
        marks = ["budget_exhausted"] if self.budget.is_exhausted else []
        return [*marks, "deadline_reached"] if time.monotonic() >= self.deadline else marks

    def call_context(self, panelist: Panelist) -> CallContext:
        """Return on whose account the stage's calls of `panelist` go."""
        return CallContext(self.name, panelist, self.budget, self.calls, health=self.health)


@dataclass(frozen=True)
class SeatStage(Stage):
    """What a seat works with; its `records` are those of the wave's seats that had finished when a process died.

    Args:
        seat: The seat's label.
        wave: What the seats of the wave share; held, so that those who come later find the same.
    """

    seat: str
    wave: WaveLimits

    @classmethod
    async def for_seat(cls, options: GraphOptions, task: SeatTask, runtime: Runtime[FusionConfig]) -> Self:
        """Open the stage of one seat in one wave.

        Args:
            options: The graph's options.
            task: What `fan_out` sent to the seat.
            runtime: The node's runtime.
        """
        config = options.config_for(runtime, task["run"])
        seat, place = config.seat_labels[task["ask"]["seat"]], task["ask"]["seat"]
        # Held before the earlier attempts are read: until all of the wave have looked, none may be gone with its gate.
        ledger = run_ledger(config, Spent(task["spent"][0], int(task["spent"][1])))
        wave = shared_limits(_wave_key(task, runtime), config.limits, ledger)
        before = await prior_attempts(runtime)
        for record in before.records:
            if record["answered"]:
                wave.gate.record_answer(record["seat"])
        return cls(
            name="panelist",
            config=config,
            events=EventEmitter(runtime, task["run"]),
            records=list(before.records),
            deadline=time.monotonic() + task["seconds"],
            # Earlier attempts count twice: on the limits with what they may have spent, on the bill with what is known.
            budget=before.stage_budget(wave.ledger, "panelist", 1 / task["seats"]),
            calls=before.calls("panelist", config.panel[place].model_name, seat),
            health=tracker_for(config),
            seat=seat,
            wave=wave,
        )

    def call_context(self, panelist: Panelist) -> CallContext:
        """Return on whose account the seat's calls of `panelist` go."""
        return CallContext(self.name, panelist, self.budget, self.calls, self.seat, self.health)


def _wave_key(task: SeatTask, runtime: Runtime[Any]) -> str:
    # The checkpoint's id is the same for all seats of one superstep and for no other, with or without a
    # checkpointer.
    info = runtime.execution_info
    return f"{task['run']['id']}/{task['wave']}/{info.checkpoint_id if info else ''}"


def event_stamp(run: Run) -> EventStamp:
    """Return what the events of `run` that are made now have in common."""
    return EventStamp(run_id=run["id"], t=round(time.time() - run["started"], 3))
