"""The run inside a chat model's call: its tracers see it, and it is no part of what surrounds the call.

To everybody but a tracer, a chat model's call is one call with one bill. A handler that counts tokens would count those
of the models inside twice, and one that forwards them would forward drafts.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextvars import Context, copy_context
from typing import Any, TypeVar

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackHandler
from langchain_core.callbacks.manager import BaseRunManager
from langchain_core.runnables import ensure_config
from langchain_core.runnables.config import var_child_runnable_config
from langchain_core.tracers import BaseTracer
from langchain_core.tracers.base import AsyncBaseTracer
from langchain_core.tracers.context import _configure_hooks

T = TypeVar("T")


def tracers_of(run: object) -> AsyncCallbackManager:
    """The callbacks of a run inside a call: the call's tracers, its tags and its metadata.

    Args:
        run: The call's run manager. Where LangChain hands none over, as for most streams, the run inside stands beside
            the call, under what encloses both.
    """
    if isinstance(run, BaseRunManager):
        inside = AsyncCallbackManager([], parent_run_id=run.run_id)
        inside.add_tags(run.inheritable_tags)
        inside.add_metadata(run.inheritable_metadata)
        inside.set_handlers(_tracers(run.inheritable_handlers))
    else:
        inside = AsyncCallbackManager.configure(ensure_config().get("callbacks"))
        inside.set_handlers(_tracers(inside.inheritable_handlers))
    return inside


async def apart(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """`items`, iterated in a context of its own: LangGraph would add the surrounding run's callbacks to those given."""
    context = _surrounded_by_nothing()

    async def step() -> T:
        return await anext(items)

    try:
        while True:
            try:
                item = await asyncio.create_task(step(), context=context)
            except StopAsyncIteration:
                return
            yield item
    finally:
        await asyncio.create_task(items.aclose(), context=context)


def _surrounded_by_nothing() -> Context:
    context = copy_context()
    context.run(var_child_runnable_config.set, None)
    for variable, *_ in _configure_hooks:  # handlers of `with` statements, such as `get_usage_metadata_callback`
        if (handler := context.get(variable)) is not None and not _tracers([handler]):
            context.run(variable.set, None)
    return context


def _tracers(handlers: Iterable[Any]) -> list[BaseCallbackHandler]:
    return [one for one in handlers if isinstance(one, BaseTracer | AsyncBaseTracer)]
