"""Stored runs as a user sees them: the list of them, the result of one, and what they spent day by day."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from typing import Any, Literal, NamedTuple

from fusion_tool.api.run_store import StorePlace, default_place, has_runs, match_run_id, open_store, state_of
from fusion_tool.budget.usage import Call, StageName, Usage
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import load_stored_config
from fusion_tool.errors import ConfigError, PanelFailed
from fusion_tool.graph.agents.attempts import failed_models
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.inputs import parse_result
from fusion_tool.graph.result import FusionResult

_NODES: dict[str, StageName] = {
    "panelist": "panelist",
    "judge": "judge",
    "synthesize": "synthesizer",
    "ground": "verifier",
}
"""The nodes that call models, with their stages on the bill."""


@dataclass(frozen=True)
class StoredRun:
    """One stored run.

    Args:
        id: The run's id, which resumes it.
        question: Its question; empty where it cannot be read.
        last_step_at: When its last step ended; `None` where that cannot be read.
        status: `failed`: its panel gave too few answers, which resuming does not change; `unreadable`: its rows are
            broken, or no plain data.
        stage: The next step that is missing; `None` where none is.
        usage: What it spent; a call of unknown cost stands for each step that broke off. `None` where it cannot be
            read.
        problem: Why it cannot be read; `None` where it can.
    """

    id: str
    question: str
    last_step_at: datetime | None
    status: Literal["finished", "unfinished", "failed", "unreadable"]
    stage: str | None
    usage: Usage | None = None
    problem: str | None = None


class DaySpent(NamedTuple):
    """What the runs of a day spent, in the user's time.

    Args:
        day: The day of their last steps; `None` of runs that cannot be read.
        runs: How many they are.
        usage: Their bills together; `None` where none can be read.
    """

    day: date | None
    runs: int
    usage: Usage | None


async def list_runs(place: StorePlace | None = None) -> list[StoredRun]:
    """Return the runs in `place`, the latest first; by default those where runs are kept.

    Raises:
        ConfigError: The file holds no runs.
        DatabaseUnavailable: The shared database cannot be reached.
    """
    place = place or default_place()
    if not has_runs(place):
        return []
    async with open_store(place) as store:
        graph = build_graph(checkpointer=store.saver)
        return [await _read_run(graph, run_id) for run_id in await store.run_ids()]


async def read_result(run_id: str, place: StorePlace | None = None) -> FusionResult:
    """Return the result of a finished run.

    Args:
        run_id: Its id, or the beginning of it that no other run's id has.
        place: A SQLite file or the shared database; by default where runs are kept.

    Raises:
        ConfigError: There is no such run, or several; or it has no result yet, or none that can be read.
        PanelFailed: Its panel gave too few answers.
    """
    run, state = await _read_kept(run_id, place)
    if run.status == "failed":
        raise _panel_failed(state.values, run.usage)
    if state.next:
        raise ConfigError(f"run {run.id} has no answer yet; finish it with 'fusion-tool ask --resume {run.id[:8]}'")
    try:
        return parse_result(state.values["result"])
    except ConfigError as error:
        raise ConfigError(f"run {run.id} {error.message.partition(';')[0]}: another version kept it") from error


async def read_config(run_id: str, place: StorePlace | None = None) -> FusionConfig:
    """Return the configuration that a run was begun with.

    Args:
        run_id: As for `read_result`.
        place: As for `read_result`.

    Raises:
        ConfigError: There is no such run, or several, or its configuration cannot be restored.
    """
    _, state = await _read_kept(run_id, place)
    return load_stored_config(state.values["run"]["config"])


async def _read_kept(run_id: str, place: StorePlace | None) -> tuple[StoredRun, Any]:
    place = place or default_place()
    if not has_runs(place):
        raise ConfigError(f"no run is kept in {place}")
    async with open_store(place) as store:
        run_id = match_run_id(run_id, await store.run_ids(), store.name)
        graph = build_graph(checkpointer=store.saver)
        run, state = await _read_run(graph, run_id), await state_of(graph, run_id)
    if run.status == "unreadable":
        raise ConfigError(run.problem or "")
    return run, state


def spent_by_day(runs: Iterable[StoredRun]) -> list[DaySpent]:
    """Return what `runs` spent, the latest day first; those that cannot be read come last."""
    rows = sorted(((_day_of(run) or date.min, run) for run in runs), key=lambda row: row[0], reverse=True)
    days = []
    for day, group in groupby(rows, key=lambda row: row[0]):
        bills = [run.usage for _, run in group]
        known = [bill for bill in bills if bill is not None]
        usage = Usage.of(call for bill in known for call in bill.calls) if known else None
        days.append(DaySpent(None if day == date.min else day, len(bills), usage))
    return days


def _day_of(run: StoredRun) -> date | None:
    return run.last_step_at.astimezone().date() if run.last_step_at else None


def _panel_failed(values: dict[str, Any], usage: Usage | None) -> PanelFailed:
    rows = [row.model_dump() for row in failed_models(values["records"], values.get("judgement"))]
    answered = sum(record["answered"] for record in values["records"])
    limits = (values["run"]["decided"] or values["run"]["config"])["limits"]
    return PanelFailed(rows, usage.model_dump() if usage else None, answered, limits["min_answers"])


async def _read_run(graph: Any, run_id: str) -> StoredRun:
    # A row that cannot be read is listed as such: it must neither hide the other runs nor escape deletion.
    try:
        return _to_stored_run(run_id, await state_of(graph, run_id))
    except ConfigError as error:
        problem = error.message
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"run {run_id} cannot be read: it is broken ({type(error).__name__})"
    return StoredRun(id=run_id, question="", last_step_at=None, status="unreadable", stage=None, problem=problem)


def _to_stored_run(run_id: str, state: Any) -> StoredRun:
    # LangGraph stores an error as its `repr`: of its class only the name is left.
    has_failed = any(str(task.error).startswith("PanelFailed") for task in state.tasks)
    return StoredRun(
        id=run_id,
        question=state.values["run"]["question"] if "run" in state.values else "",
        last_step_at=datetime.fromisoformat(state.created_at).astimezone(UTC),
        status="failed" if has_failed else "unfinished" if state.next else "finished",
        stage=state.next[0] if state.next else None,
        usage=Usage.of(_calls(state, has_failed=has_failed)),
    )


def _calls(state: Any, *, has_failed: bool) -> Iterator[Call]:
    values = state.values
    if not state.next:
        yield from Usage.model_validate(values["result"]["usage"]).calls
        return
    stages = [row for name in ("judgement", "synthesis") if (row := values.get(name))]
    yield from (
        Call.model_validate(call) for record in (*values.get("records", []), *stages) for call in record["calls"]
    )
    if not has_failed:
        # Nobody knows whether they had called anybody, nor what that cost.
        broken_off = [task.name for task in state.tasks if not task.result]
        yield from (Call(stage=_NODES[name], seat=None, model="unknown") for name in broken_off if name in _NODES)
