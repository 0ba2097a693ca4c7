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

from fusion_tool.api.run_store import keep_only_the_end, opened, prune, run_ids, state_of, working_on
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import rebuilt, refuse_other, restored
from fusion_tool.errors import ConfigError
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.preflight import check, refuse_inside_seat
from fusion_tool.graph.runtime import recap


@dataclass(frozen=True)
class Work:
    """What the graph is to do.

    Args:
        graph: It.
        input: What goes in; `None` goes on where the run broke off.
        config: LangChain's, with the thread.
        settings: The run's configuration.
        before: The events of what is done already.
        result: The whole result as a dict, where nothing is left to do.
    """

    graph: Any
    input: Mapping[str, Any] | None
    config: RunnableConfig
    settings: FusionConfig | None
    before: Sequence[dict[str, Any]] = ()
    result: dict[str, Any] | None = None


@asynccontextmanager
async def plain_work(
    asked: Mapping[str, Any], settings: FusionConfig, panel_tools: Sequence[Any]
) -> AsyncIterator[Work]:
    """A new run that goes with its process."""
    graph = build_graph(panel_tools=panel_tools) if panel_tools else _plain_graph()
    yield Work(graph, asked, RunnableConfig(run_name="fusion"), settings)


@asynccontextmanager
async def new_work(
    asked: Mapping[str, Any], settings: FusionConfig, panel_tools: Sequence[Any], path: Path
) -> AsyncIterator[Work]:
    """A new run, kept in `path`; what is too old there goes first.

    Raises:
        ConfigError: `path` cannot be written.
    """
    run_id = uuid.uuid4()
    async with opened(path) as saver:
        await prune(saver, path)
        with working_on(run_id.hex, path):
            work = Work(build_graph(panel_tools=panel_tools, checkpointer=saver), asked, _thread(run_id.hex), settings)
            work.config["run_id"] = run_id
            try:
                yield work
            finally:
                state = await work.graph.aget_state(_thread(run_id.hex))
                if "run" not in state.values:  # refused before it began
                    await saver.adelete_thread(run_id.hex)
            await keep_only_the_end(saver, run_id.hex)


@asynccontextmanager
async def resumed_work(
    run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any], path: Path
) -> AsyncIterator[Work]:
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
    refuse_inside_seat()
    async with opened(path) as saver:
        if run_id not in await run_ids(saver):
            raise ConfigError(f"no run {run_id!r} is kept in {path}; 'fusion-tool runs' lists them", field="resume")
        with working_on(run_id, path):
            graph = build_graph(panel_tools=panel_tools, checkpointer=saver)
            yield await _rest(graph, run_id, settings, panel_tools)
            await keep_only_the_end(saver, run_id)


async def _rest(graph: Any, run_id: str, settings: FusionConfig | None, panel_tools: Sequence[Any]) -> Work:
    state = await state_of(graph, run_id)
    run = state.values.get("run")
    if run is None:
        raise ConfigError(f"run {run_id} had not begun when it broke off; ask again", field="resume")
    if settings is not None:
        refuse_other(settings, run["config"])
    if not state.next:
        return Work(graph, None, _thread(run_id), settings, result=state.values["result"])
    settings = settings or restored(run["config"])
    decided = rebuilt(settings, run["decided"]) if run["decided"] else settings
    await check(decided, panel_tools)
    stamp = {"run_id": run_id, "t": round(time.time() - run["started"], 3)}
    before = [event | stamp for event in recap(state.values, decided.seat_labels)]
    return Work(graph, None, _thread(run_id), settings, before)


def _thread(run_id: str) -> RunnableConfig:
    return RunnableConfig(run_name="fusion", configurable={"thread_id": run_id})


@lru_cache(maxsize=1)
def _plain_graph() -> Any:
    return build_graph()
