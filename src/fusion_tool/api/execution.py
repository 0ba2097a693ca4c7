"""Executions, which `stream_run` carries out: a transient, a stored or a resumed run."""

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from fusion_tool.api.run_store import (
    OWNER_KEY,
    drop_intermediate_steps,
    match_run_id,
    open_store,
    prune_runs,
    run_ids,
    run_lock,
    run_owner,
    state_of,
)
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import apply_decision, load_stored_config, require_same_config
from fusion_tool.errors import ConfigError
from fusion_tool.events import Event
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.preflight import check_run, forbid_nested_run
from fusion_tool.graph.progress import replay_events


@dataclass(frozen=True)
class Execution:
    """A run that is ready to begin.

    Args:
        graph: The compiled graph.
        input: The graph's input; `None` continues where the run broke off.
        config: LangChain's configuration of the call, with the thread.
        run_config: The run's configuration.
        past_events: The events of the steps that are done already.
        result: The whole result as a dict where nothing is left to do, else `None`.
    """

    graph: Any
    input: Mapping[str, Any] | None
    config: RunnableConfig
    run_config: FusionConfig | None
    past_events: Sequence[Event] = ()
    result: dict[str, Any] | None = None


@asynccontextmanager
async def transient_run(
    inputs: Mapping[str, Any], settings: FusionConfig, panel_tools: Sequence[Any]
) -> AsyncIterator[Execution]:
    """Open a new run that is lost with its process."""
    graph = build_graph(panel_tools=panel_tools) if panel_tools else _transient_graph()
    yield Execution(graph, inputs, RunnableConfig(run_name="fusion"), settings)


@asynccontextmanager
async def stored_run(  # noqa: PLR0913 - keyword options, each with a default
    inputs: Mapping[str, Any],
    settings: FusionConfig,
    panel_tools: Sequence[Any],
    path: Path,
    *,
    run_id: str | None = None,
    owner: str | None = None,
) -> AsyncIterator[Execution]:
    """Open a new run that is stored in `path`; runs that are too old there are deleted first.

    Args:
        inputs: The graph's input.
        settings: The run's configuration.
        panel_tools: The caller's tools.
        path: The SQLite file.
        run_id: The id that the run shall have, in hexadecimal digits; `None` makes one.
        owner: Whose run it is, where a server keeps it for a caller; `None` for the user's own.

    Raises:
        ConfigError: `path` cannot be written.
    """
    thread_id = uuid.UUID(run_id) if run_id else uuid.uuid4()
    async with open_store(path) as saver:
        await prune_runs(saver, path)
        with run_lock(thread_id.hex, path):
            execution = Execution(
                build_graph(panel_tools=panel_tools, checkpointer=saver),
                inputs,
                _thread(thread_id.hex, owner),
                settings,
            )
            # `route` takes it for the run's id, so that the result names the thread that resumes it.
            execution.config["run_id"] = thread_id
            try:
                yield execution
            finally:
                state = await execution.graph.aget_state(_thread(thread_id.hex))
                # Refused before its first step: there is nothing to resume.
                if "run" not in state.values:
                    await saver.adelete_thread(thread_id.hex)
            # Not in `finally`: a run that broke off is resumed from these steps.
            await drop_intermediate_steps(saver, thread_id.hex)


@asynccontextmanager
async def resumed_run(
    run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any], path: Path, *, owner: str | None = None
) -> AsyncIterator[Execution]:
    """Open the rest of a run that is stored in `path`, with its own configuration.

    Args:
        run_id: The run's id; where there is no owner, its beginning is enough.
        settings: The configuration once more, needed where its models are objects; `None` restores the stored one.
        panel_tools: The caller's tools, which are not stored.
        path: The SQLite file.
        owner: The caller of a server for whom it was kept; `None` for the user, to whom all runs belong.

    Raises:
        ConfigError: There is no such run, or it is somebody else's, it had not begun, another task or process works
            on it, its configuration is another one or cannot be restored, or it cannot work here.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    forbid_nested_run()  # a new run is checked by its first node, which a resumed one may have behind it
    async with open_store(path) as saver:
        stored_ids = await run_ids(saver)
        # A caller of a server has to name the whole id: by its beginning he would learn of other callers' runs.
        run_id = match_run_id(run_id, stored_ids, path, field="resume") if owner is None else run_id
        stored_owner = await run_owner(saver, run_id)
        if owner is not None and (owner != stored_owner or run_id not in stored_ids):
            raise ConfigError(f"no run {run_id!r} of yours is kept here; ask the question again", field="resume")
        with run_lock(run_id, path):
            graph = build_graph(panel_tools=panel_tools, checkpointer=saver)
            yield await _remaining_execution(graph, run_id, settings, panel_tools, stored_owner)
            await drop_intermediate_steps(saver, run_id)


async def _remaining_execution(
    graph: Any, run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any], owner: str | None
) -> Execution:
    state = await state_of(graph, run_id)
    run = state.values.get("run")
    if run is None:
        raise ConfigError(f"run {run_id} had not begun when it broke off; ask again", field="resume")
    if settings is not None:
        require_same_config(settings, run["config"])
    if not state.next:
        return Execution(graph, None, _thread(run_id, owner), settings, result=state.values["result"])
    settings = settings or load_stored_config(run["config"])
    # What the router chose is part of the stored run, and is not chosen anew.
    decided = apply_decision(settings, run["decided"]) if run["decided"] else settings
    await check_run(decided, panel_tools)
    return Execution(graph, None, _thread(run_id, owner), settings, tuple(replay_events(state.values, decided)))


def _thread(run_id: str, owner: str | None = None) -> RunnableConfig:
    config = RunnableConfig(run_name="fusion", configurable={"thread_id": run_id})
    if owner is not None:
        config["metadata"] = {OWNER_KEY: owner}
    return config


# Compiled once: without tools of the caller's every transient run has the same graph, which holds no state of its own.
@lru_cache(maxsize=1)
def _transient_graph() -> Any:
    return build_graph()
