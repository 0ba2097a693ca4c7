"""The one way to carry out a run, `stream_run`, and what servers make of it."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, TypeAlias

from langchain_core.runnables import RunnableConfig

from fusion_tool.api.execution import Execution, resumed_run, stored_run, transient_run
from fusion_tool.api.response_cache import CacheSlot, cache_slot
from fusion_tool.api.run_store import Promise, StorePlace, default_place
from fusion_tool.budget.session import SESSION_KEY, Session
from fusion_tool.config.schema import FusionConfig
from fusion_tool.events import Event, RunCompleted, run_completed, run_started
from fusion_tool.graph.earlier import carry_over
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.runtime import LISTENER_KEY


def stream_run(
    execution: AbstractAsyncContextManager[Execution],
    slot: AbstractAsyncContextManager[CacheSlot] | None,
    *,
    is_watched: bool,
) -> AsyncGenerator[Event, None]:
    """Carry out a run, event by event; the last one, `run.completed`, carries the result as a dict.

    Closing the iterator cancels the run.

    Args:
        execution: Opens the run; left alone where the cache has the result.
        slot: Opens the run's place in the response cache; `None` does without the cache.
        is_watched: Whether somebody reads the answer while it is written; else it need not be streamed.

    Raises:
        FusionError: As `afuse`, from the iteration.
    """
    events = _execute(execution, is_watched=is_watched)
    return events if slot is None else _execute_once(slot, events)


async def _execute(
    execution: AbstractAsyncContextManager[Execution], *, is_watched: bool
) -> AsyncGenerator[Event, None]:
    async with execution as run:
        for event in run.past_events:
            yield event
        if run.result is not None:  # it had finished: only its result was still to be fetched
            yield run_completed(run.result)
            return
        completed: RunCompleted | None = None
        async with aclosing(_graph_events(run, is_watched=is_watched)) as events:
            async for event in events:
                if event["type"] != "run.completed":
                    yield event
                else:  # held back until its last step is kept, or known to be lost
                    completed = event
        if completed is not None:
            yield run_completed(_with_losses(completed["result"], run.losses))


def _with_losses(result: dict[str, Any], losses: Sequence[str]) -> dict[str, Any]:
    return result | {"degraded": [*result["degraded"], "not_kept"]} if losses else result


async def _execute_once(
    slot: AbstractAsyncContextManager[CacheSlot], events: AsyncGenerator[Event, None]
) -> AsyncGenerator[Event, None]:
    """Pass on `events`, and give their result to the cache; where it has one already, they are never begun."""
    async with slot as cached, aclosing(events):
        if cached.result is not None:
            yield run_started(cached.result)
            yield run_completed(cached.result)
            return
        async for event in events:
            if event["type"] == "run.completed":
                # Before it is passed on: whoever has the result may stop listening.
                await cached.fill(event["result"])
            yield event


async def final_result(
    events: AsyncGenerator[Event, None], on_event: Callable[[Event], Awaitable[None]] | None = None
) -> dict[str, Any]:
    """Return the result that a run's `events` end with, as a dict.

    Args:
        events: The run; closed where the caller is cancelled or `on_event` fails.
        on_event: Gets every event; `None` where nobody watches.
    """
    result: dict[str, Any] = {}
    async with aclosing(events):
        async for event in events:
            if on_event is not None:
                await on_event(event)
            if event["type"] == "run.completed":
                result = event["result"]
    return result


def request_slot(
    request: RunInput, config: FusionConfig, panel_tools: Sequence[Any] = (), *, owner: str = ""
) -> AbstractAsyncContextManager[CacheSlot] | None:
    """Return a new run's place in the response cache, `None` where `config.cache` is off.

    Args:
        request: What is asked.
        config: The run's configuration.
        panel_tools: The caller's own tools.
        owner: Whose part of the cache it is; only who has the same name shares it.
    """
    if not config.cache:
        return None
    # All that the answer depends on besides the question: a follow-up is another run than its question alone.
    earlier = carry_over(request.earlier, config) if request.earlier else None
    form = json.dumps([request.instructions, request.answer_schema, request.max_tokens, earlier])
    return cache_slot(request.question, request.context, config, panel_tools, instructions=form, owner=owner)


OnEvent: TypeAlias = Callable[[Event], Awaitable[None]]
OpenSession: TypeAlias = Callable[[FusionConfig], AbstractAsyncContextManager[Session]]
"""Opens the session that the run of a configuration is part of."""


async def run_request(  # noqa: PLR0913 - keyword options, each with a default
    request: RunInput,
    config: FusionConfig,
    on_event: OnEvent | None = None,
    *,
    owner: str = "",
    open_session: OpenSession | None = None,
    kept_id: str | None = None,
    promise: Promise | None = None,
) -> dict[str, Any]:
    """Carry out a run as a server does for its client, and return its result as a dict.

    Args:
        request: The question, and what belongs to it.
        config: The run's configuration.
        on_event: Gets every event; `None` where nobody watches, which costs half of the processor time.
        owner: Who asks; nobody else has the answer out of the cache, nor resumes the run. Empty where nobody is named.
        open_session: Opens the session that the run is part of; not called where its result is there already. `None`
            for none.
        kept_id: The hexadecimal id under which the run is kept, or goes on; `None` keeps it nowhere.
        promise: The promise that a kept run is finished, though this process dies; `None` for none.

    Raises:
        FusionError: As `afuse`.
    """
    inputs = request.graph_input
    execution = transient_run(inputs, config, ())
    if kept_id is not None:
        execution = stored_run(inputs, config, (), default_place(config), run_id=kept_id, owner=owner, promise=promise)
    slot = request_slot(request, config, owner=owner)
    events = stream_run(_in_session(execution, open_session), slot, is_watched=on_event is not None)
    return await final_result(events, on_event)


async def resume_request(
    run_id: str,
    owner: str,
    on_event: OnEvent | None,
    *,
    place: StorePlace,
    open_session: OpenSession,
) -> dict[str, Any]:
    """Carry out what is missing of a run that was kept, and return its result as a dict.

    Args:
        run_id: The run's id.
        owner: Who asks, which must be who began it.
        on_event: Gets every event, the past ones again; `None` where nobody watches.
        place: Where it is kept.
        open_session: Opens the session that the rest is part of, by the run's own configuration; not called where
            nothing is missing.

    Raises:
        FusionError: As `afuse`; `ConfigError` where there is no such run of this owner.
    """
    execution = _in_session(resumed_run(run_id, None, (), place, owner=owner), open_session)
    return await final_result(stream_run(execution, None, is_watched=on_event is not None), on_event)


@asynccontextmanager
async def _in_session(
    execution: AbstractAsyncContextManager[Execution], open_session: OpenSession | None
) -> AsyncIterator[Execution]:
    async with execution as run:
        # A finished one is paid for: it is there, whatever the session would say.
        if open_session is None or run.result is not None or run.run_config is None:
            yield run
            return
        async with open_session(run.run_config) as session:
            run.config["configurable"] = {**run.config.get("configurable", {}), SESSION_KEY: session}
            yield run


async def _graph_events(run: Execution, *, is_watched: bool) -> AsyncGenerator[Event, None]:
    if not is_watched:
        yield run_completed((await _invoke(run, None))["result"])
        return
    # LangGraph's own stream makes a task for every event, to wait for the next one; a queue holds 3 kB.
    events, wake = deque[Event](), asyncio.Event()

    def take(event: Event) -> None:
        events.append(event)
        wake.set()

    work = asyncio.create_task(_invoke(run, take))
    work.add_done_callback(lambda _: wake.set())
    try:
        while events or not work.done():
            if events:
                yield events.popleft()
            else:
                wake.clear()
                await wake.wait()
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _invoke(run: Execution, listener: Callable[[Event], None] | None) -> Coroutine[Any, Any, dict[str, Any]]:
    configurable = {**run.config.get("configurable", {}), LISTENER_KEY: listener}
    # The message stream of a graph around this run is not the answer's place: its caller gets the result.
    config = RunnableConfig(**{**run.config, "configurable": configurable, "tags": ["nostream"]})
    # Each step is written before the next one is paid for.
    options: dict[str, Any] = {
        "context": run.run_config,
        "durability": "sync" if run.graph.checkpointer else None,
        "output_keys": ["result"],
    }
    work: Coroutine[Any, Any, dict[str, Any]] = run.graph.ainvoke(run.input, config, **options)
    return work
