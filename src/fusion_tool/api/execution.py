"""Executions, which `stream_run` carries out: a transient, a stored or a resumed run."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from langchain_core.runnables import RunnableConfig

from fusion_tool.api.run_store import (
    OWNER_KEY,
    Promise,
    RunStore,
    StorePlace,
    UnwritableError,
    default_path,
    match_run_id,
    open_store,
    state_of,
)
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.serialization import apply_decision, load_stored_config, require_same_config
from fusion_tool.errors import ConfigError, DatabaseUnavailable
from fusion_tool.events import Event
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.preflight import check_run, forbid_nested_run
from fusion_tool.graph.progress import replay_events

_log = logging.getLogger(__name__)


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
        losses: Why the run, which was to be kept, is not, or not to its end; it grows while the run works.
    """

    graph: Any
    input: Mapping[str, Any] | None
    config: RunnableConfig
    run_config: FusionConfig | None
    past_events: Sequence[Event] = ()
    result: dict[str, Any] | None = None
    losses: Sequence[str] = ()


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
    place: StorePlace,
    *,
    run_id: str | None = None,
    owner: str | None = None,
    promise: Promise | None = None,
) -> AsyncIterator[Execution]:
    """Open a new run that is stored in `place`; runs that are too old there are deleted first.

    Where the shared database cannot be reached, or the user's data folder cannot be written, the run is a transient
    one, with a warning and a loss.

    Args:
        inputs: The graph's input.
        settings: The run's configuration.
        panel_tools: The caller's tools.
        place: A SQLite file, or the shared database.
        run_id: The id that the run shall have, in hexadecimal digits; one that has begun goes on. `None` makes one.
        owner: Whose run it is, where a server keeps it for a caller; `None` for the user's own.
        promise: The promise that it is finished, though this process dies; `None` for none.

    Raises:
        ConfigError: `place` is a file of one's own choice that cannot be written, or the run of that id asks something
            else.
        RunBusyError: Another task or process works on the run of that id.
    """
    thread_id = uuid.UUID(run_id) if run_id else uuid.uuid4()
    async with AsyncExitStack() as opened:
        try:
            store = await opened.enter_async_context(open_store(place))
            await store.tidy()
            await opened.enter_async_context(store.lock(thread_id.hex))
        except (DatabaseUnavailable, UnwritableError) as error:
            # A path of one's own may be mistyped, and nothing is paid for yet.
            if isinstance(error, UnwritableError) and place != default_path():
                raise
            _log.warning("the run is not kept: %s", error.cause if isinstance(error, UnwritableError) else error)
            execution = await opened.enter_async_context(transient_run(inputs, settings, panel_tools))
            yield replace(execution, losses=(error.cause,))
            return
        config = _thread(thread_id.hex, owner)
        # `route` takes it for the run's id, so that the result names the thread that resumes it.
        config["run_id"] = thread_id
        graph = build_graph(panel_tools=panel_tools, checkpointer=store.saver)
        execution = Execution(graph, inputs, config, settings)
        # Under the lock: of two who come at once with one id the second finds what the first has done.
        if run_id is not None and (begun := (await state_of(graph, thread_id.hex)).values.get("run")):
            _require_same_request(begun, inputs)
            execution = await _remaining_execution(graph, thread_id.hex, None, panel_tools, owner)
        store.go_on_without(thread_id.hex)
        try:
            async with _promised(store, thread_id.hex, None if execution.result else promise):
                yield replace(execution, losses=store.losses)
        finally:
            # Refused before its first step: there is nothing to resume.
            state = await graph.aget_state(_thread(thread_id.hex))
            if not store.losses and "run" not in state.values:
                await _clean(store.delete(thread_id.hex))
        # Not in `finally`: a run that broke off is resumed from these steps.
        await _keep_end(store, thread_id.hex)


@asynccontextmanager
async def _promised(store: RunStore, run_id: str, promise: Promise | None) -> AsyncIterator[None]:
    """Have a server finish the run unless it comes to its end here."""
    if promise is None:
        yield
        return
    await store.add_promise(run_id, promise.terms)
    is_over = True
    try:
        yield
    except (asyncio.CancelledError, GeneratorExit):  # stopped: with its process, or because its client has left
        is_over = promise.is_void
        raise
    finally:
        if is_over:
            await _drop_promise(store, run_id)


async def _drop_promise(store: RunStore, run_id: str) -> None:
    try:
        await store.drop_promise(run_id)
    except DatabaseUnavailable as error:
        _log.warning("run %s may be finished once more by a server: %s", run_id, error)


def _require_same_request(begun: Mapping[str, Any], inputs: Mapping[str, Any]) -> None:
    for name in ("question", "context"):
        if begun.get(name, "").strip() != inputs.get(name, "").strip():
            raise ConfigError(f"the run of this id has another {name}; take another id", field="run_id")


async def _keep_end(store: RunStore, run_id: str) -> None:
    """Drop the steps before a finished run's last; where its last was lost, they are what is left of it."""
    if not store.losses:
        await _clean(store.drop_intermediate_steps(run_id))


async def _clean(work: Awaitable[None]) -> None:
    """Do what only saves room: a run that has its result is not lost over it."""
    try:
        await work
    except DatabaseUnavailable as error:
        _log.warning("a kept run takes more room than it needs: %s", error)


@asynccontextmanager
async def resumed_run(
    run_id: str,
    settings: FusionConfig | None,
    panel_tools: Sequence[Any],
    place: StorePlace,
    *,
    owner: str | None = None,
) -> AsyncIterator[Execution]:
    """Open the rest of a run that is stored in `place`, with its own configuration.

    Args:
        run_id: The run's id; where there is no owner, its beginning is enough.
        settings: The configuration once more, needed where its models are objects; `None` restores the stored one.
        panel_tools: The caller's tools, which are not stored.
        place: A SQLite file, or the shared database.
        owner: The caller of a server for whom it was kept; `None` for the user, to whom all runs belong.

    Raises:
        ConfigError: There is no such run, or it is somebody else's, it had not begun, another task or process works
            on it, its configuration is another one or cannot be restored, or it cannot work here.
        DatabaseUnavailable: The shared database cannot be reached.
        RecursionRefused: The caller is a seat of another run.
        SandboxUnavailable: The shell is required and does not work here.
    """
    forbid_nested_run()  # a new run is checked by its first node, which a resumed one may have behind it
    async with open_store(place) as store:
        stored_ids = await store.run_ids()
        # A caller of a server has to name the whole id: by its beginning he would learn of other callers' runs.
        run_id = match_run_id(run_id, stored_ids, store.name, field="resume") if owner is None else run_id
        stored_owner = await store.owner(run_id)
        if owner is not None and (owner != stored_owner or run_id not in stored_ids):
            raise ConfigError(f"no run {run_id!r} of yours is kept here; ask the question again", field="resume")
        async with store.lock(run_id):
            graph = build_graph(panel_tools=panel_tools, checkpointer=store.saver)
            execution = await _remaining_execution(graph, run_id, settings, panel_tools, stored_owner)
            store.go_on_without(run_id)
            yield replace(execution, losses=store.losses)
            await _drop_promise(store, run_id)
            await _keep_end(store, run_id)


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
