"""What nodes share that is not state: the graph's options, the run's events, and the stage that a node works in."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from langgraph.config import get_config
from langgraph.runtime import Runtime

from fusion_tool.budget.ledger import StageBudget
from fusion_tool.budget.usage import Call, StageName, Usage
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.serialization import apply_decision, load_stored_config
from fusion_tool.graph.limits import elapsed_work, run_ledger, spent_so_far, stage_deadline
from fusion_tool.graph.resume import prior_attempts
from fusion_tool.graph.state import FusionState, Run, SeatRecord, records_of_run
from fusion_tool.models.call import CallContext
from fusion_tool.models.health import HealthTracker, tracker_for
from fusion_tool.routing.classifier.classify import Classifier

UNWATCHED_KEY = "fusion_unwatched"
"""Key of a run's `configurable` that says that nobody reads its stream: LangGraph's own writer does not tell."""


class RunContext(FusionConfig, title="FusionConfig"):
    """A graph's context; Agent Server sends an empty one where there is none, which is none."""

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
        """The run's configuration: the caller's context, else the graph's own, else what the run stored.

        What `route` decided about it stands above it.

        As a subgraph the graph receives its parent's context; one that is not a `FusionConfig` is not ours.

        Raises:
            ConfigError: None is given and no default applies.
        """
        given = self._base_config(runtime, run)
        return apply_decision(given, run["decided"]) if run and run["decided"] else given

    def _base_config(self, runtime: Runtime[FusionConfig], run: Run | None) -> FusionConfig:
        context: object = runtime.context
        if isinstance(context, FusionConfig):
            return context
        if self.config is not None:
            return self.config
        return load_stored_config(run["config"]) if run else resolve_config()


class EventEmitter:
    """Sends the run's events into the graph's custom stream."""

    def __init__(self, runtime: Runtime[Any], run: Run) -> None:
        self._write: Callable[[Any], None] = runtime.stream_writer
        self._run = run

    @property
    def is_watched(self) -> bool:
        """Whether anybody listens; where nobody does the synthesizer need not stream."""
        return bool(get_config().get("configurable", {}).get(UNWATCHED_KEY) is None)

    def emit(self, kind: str, **fields: Any) -> None:
        """Send one event of `fusion_tool.events`."""
        t = round(time.time() - self._run["started"], 3)
        self._write({"type": kind, "run_id": self._run["id"], "t": t, **fields})


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
    """

    name: StageName
    config: FusionConfig
    events: EventEmitter
    records: list[SeatRecord]
    deadline: float
    budget: StageBudget
    calls: list[Call]
    health: HealthTracker | None

    @classmethod
    async def open(
        cls, options: GraphOptions, state: FusionState, runtime: Runtime[FusionConfig], name: StageName
    ) -> Self:
        """Open the judge's or the synthesizer's stage."""
        config, records, judgement = (
            options.config_for(runtime, state["run"]),
            records_of_run(state),
            state["judgement"],
        )
        before = await prior_attempts(runtime)
        owner = config.judge_or_default if name == "judge" else config.synthesizer_or_default
        return cls(
            name=name,
            config=config,
            events=EventEmitter(runtime, state["run"]),
            records=records,
            deadline=stage_deadline(config, name, elapsed_work(records, judgement)),
            budget=before.stage_budget(run_ledger(config, spent_so_far(records, judgement)), name),
            calls=before.unknown_calls(name, owner.model_name),
            health=tracker_for(config),
        )

    def limit_marks(self) -> list[str]:
        """Return which limits the stage has run into, as marks of `degraded`."""
        marks = ["budget_exhausted"] if self.budget.is_exhausted else []
        return [*marks, "deadline_reached"] if time.monotonic() >= self.deadline else marks

    def call_context(self, panelist: Panelist) -> CallContext:
        """Return on whose account the stage's calls of `panelist` go."""
        return CallContext(self.name, panelist, self.budget, self.calls, health=self.health)


def panelist_ended(record: SeatRecord) -> dict[str, Any]:
    """The event that tells how a seat ended, without its run and time."""
    if record["answered"]:
        return {
            "type": "panelist.answered",
            "seat": record["seat"],
            "model": record["model"],
            "seconds": record["seconds"],
            "cost_usd": Usage.of(map(Call.model_validate, record["calls"])).cost_usd,
        }
    last = record["failures"][-1]
    told = {"model": last["model"], "reason": last["reason"], "message": last["message"]}
    return {"type": "panelist.failed", "seat": record["seat"], **told}


def replay_events(state: FusionState, labels: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The events up to here, without the seats' tools and the text.

    Args:
        state: The run's, with what the finished seats of a step that was broken off wrote.
        labels: The seats' labels, in the panel's order.
    """
    plan, judgement, records = state["plan"], state["judgement"], records_of_run(state)
    yield {"type": "run.started", "question": state["run"]["question"]}
    seats = [labels[seat] for seat in plan["seats"]]
    yield {"type": "plan.chosen", "strategy": plan["strategy"], "seats": seats, "reason": plan["reason"]}
    yield from map(panelist_ended, records)
    if judgement:
        answered = sum(record["answered"] for record in records)
        yield {"type": "panel.closed", "answered": answered, "failed": len(records) - answered}
        found = judgement["output"]
        yield {
            "type": "judge.completed",
            "consensus": len(found["consensus"]) if found else None,
            "contradictions": len(found["contradictions"]) if found else None,
        }
