"""One run to be carried out: new, kept or resumed."""

import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig

from fusion_tool.api.run_store import drop_intermediate_steps, open_store, prune_runs, run_ids, run_lock, state_of
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import apply_decision, load_stored_config, require_same_config
from fusion_tool.errors import ConfigError
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.preflight import check_run, forbid_nested_run
from fusion_tool.graph.runtime import replay_events


@dataclass(frozen=True)
class Execution:
    """What the graph is to do.

    Args:
        graph: It.
        input: What goes in; `None` goes on where the run broke off.
        config: LangChain's, with the thread.
        run_config: The run's configuration.
        past_events: The events of what is done already.
        result: The whole result as a dict, where nothing is left to do.
    """

    graph: Any
    input: Mapping[str, Any] | None
    config: RunnableConfig
    run_config: FusionConfig | None
    past_events: Sequence[dict[str, Any]] = ()
    result: dict[str, Any] | None = None


@asynccontextmanager
async def transient_run(
    inputs: Mapping[str, Any], settings: FusionConfig, panel_tools: Sequence[Any]
) -> AsyncIterator[Execution]:
    """A new run that goes with its process."""
    graph = build_graph(panel_tools=panel_tools) if panel_tools else _transient_graph()
    yield Execution(graph, inputs, RunnableConfig(run_name="fusion"), settings)


@asynccontextmanager
async def stored_run(
    inputs: Mapping[str, Any], settings: FusionConfig, panel_tools: Sequence[Any], path: Path
) -> AsyncIterator[Execution]:
    """A new run, kept in `path`; what is too old there goes first.

    Raises:
        ConfigError: `path` cannot be written.
    """
    run_id = uuid.uuid4()
    async with open_store(path) as saver:
        await prune_runs(saver, path)
        with run_lock(run_id.hex, path):
            work = Execution(
                build_graph(panel_tools=panel_tools, checkpointer=saver), inputs, _thread(run_id.hex), settings
            )
            work.config["run_id"] = run_id
            try:
                yield work
            finally:
                state = await work.graph.aget_state(_thread(run_id.hex))
                if "run" not in state.values:  # refused before it began
                    await saver.adelete_thread(run_id.hex)
            await drop_intermediate_steps(saver, run_id.hex)


@asynccontextmanager
async def resumed_run(
    run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any], path: Path
) -> AsyncIterator[Execution]:
    """The rest of a run kept in `path`, with its own configuration.

    Args:
        run_id: The run's.
        settings: The configuration once more, if at all; needed where models were given as objects.
        panel_tools: The caller's tools, which are not stored.
        path: Where it is kept.

    Raises:
        ConfigError: There is no such run, it had not begun, somebody works on it, its configuration is another one or
            cannot be restored, or it cannot work here.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    forbid_nested_run()
    async with open_store(path) as saver:
        if run_id not in await run_ids(saver):
            raise ConfigError(f"no run {run_id!r} is kept in {path}; 'fusion-tool runs' lists them", field="resume")
        with run_lock(run_id, path):
            graph = build_graph(panel_tools=panel_tools, checkpointer=saver)
            yield await _rest(graph, run_id, settings, panel_tools)
            await drop_intermediate_steps(saver, run_id)


async def _rest(graph: Any, run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any]) -> Execution:
    state = await state_of(graph, run_id)
    run = state.values.get("run")
    if run is None:
        raise ConfigError(f"run {run_id} had not begun when it broke off; ask again", field="resume")
    if settings is not None:
        require_same_config(settings, run["config"])
    if not state.next:
        return Execution(graph, None, _thread(run_id), settings, result=state.values["result"])
    settings = settings or load_stored_config(run["config"])
    decided = apply_decision(settings, run["decided"]) if run["decided"] else settings
    await check_run(decided, panel_tools)
    stamp = {"run_id": run_id, "t": round(time.time() - run["started"], 3)}
    before = [event | stamp for event in replay_events(state.values, decided.seat_labels)]
    return Execution(graph, None, _thread(run_id), settings, before)


def _thread(run_id: str) -> RunnableConfig:
    return RunnableConfig(run_name="fusion", configurable={"thread_id": run_id})


@lru_cache(maxsize=1)
def _transient_graph() -> Any:
    return build_graph()
