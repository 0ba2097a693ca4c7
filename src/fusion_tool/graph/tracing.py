"""`RedactedGraph`: a graph whose tracers see what ran, how long and at what cost, and no content.

Every run enters here, whoever calls it, and so its caller's day begins and ends here, too.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from copy import copy
from typing import Any

from langchain_core.runnables import RunnableConfig, ensure_config
from langchain_core.runnables.config import merge_configs, var_child_runnable_config
from langgraph.graph.state import CompiledStateGraph

from fusion_tool.config.schema import FusionConfig
from fusion_tool.graph.identity import identity_session
from fusion_tool.graph.redaction import redact_callbacks
from fusion_tool.routing.policy.private_data import load_patterns, private_pattern

_RUNTIME = "__pregel_runtime"
"""Where LangGraph hands a parent's runtime, with its context, down to a subgraph."""


class RedactedGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph that redacts by its `FusionConfig`; `default` is the configuration of runs without one."""

    default: FusionConfig | None

    @classmethod
    def of(cls, compiled: CompiledStateGraph[Any, Any, Any, Any], default: FusionConfig | None) -> "RedactedGraph":
        """Turn `compiled` itself into one: LangGraph cannot be told a class to compile to."""
        compiled.__class__ = cls
        assert isinstance(compiled, cls)  # noqa: S101 - for the type checker
        compiled.default = default
        return compiled

    def copy(self, update: dict[str, Any] | None = None) -> "RedactedGraph":
        """Copy as LangGraph does, and stay redacted."""
        return RedactedGraph.of(super().copy(update), self.default)

    async def astream(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        *,
        context: Any = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """Stream as LangGraph does; `ainvoke` and `astream_events` go through here too."""
        async with identity_session(config, lambda: self._identity_config(config, context)) as own:
            if await self._shows_content(input, own, context):
                parts = super().astream(input, own, context=context, **options)
            else:
                parts = self._stream_redacted(input, own, context=context, **options)
            async with aclosing(parts):  # type: ignore[type-var] # it is a generator
                async for part in parts:
                    yield part

    async def _stream_redacted(self, inputs: Any, config: RunnableConfig | None, **options: Any) -> AsyncIterator[Any]:
        """Stream with no other handlers than the content-free ones, wherever LangGraph looks for some."""
        callbacks = merge_configs(var_child_runnable_config.get(), self.config, config).get("callbacks")
        # A copy, since runs with other handlers may stream from this graph at the same time.
        twin, redacted = copy(self), RunnableConfig(**{**(config or {}), "callbacks": redact_callbacks(callbacks)})
        twin.config = _without_callbacks(self.config)
        stream = super(RedactedGraph, twin).astream(inputs, redacted, **options)
        async with aclosing(stream):  # type: ignore[type-var] # likewise
            with _no_callbacks_around():  # it looks around once, when it begins
                part = await anext(stream, _END)
            while part is not _END:
                yield part
                part = await anext(stream, _END)

    async def _shows_content(self, inputs: Any, config: RunnableConfig | None, context: Any) -> bool:
        """Return what the run's configuration says; where a resumed run gets none, the one that it began with."""
        if isinstance(context, dict):  # as Agent Server has it
            return bool(context.get("trace_content", True))
        if (run_config := self._config_of(config, context)) is not None:
            return not await _is_confidential(run_config, inputs)
        if isinstance(inputs, dict) or not self.checkpointer:
            return True
        run = (await self.aget_state(ensure_config(config))).values.get("run") or {}
        return bool(run.get("config", {}).get("trace_content", True))

    def _identity_config(self, config: RunnableConfig | None, context: Any) -> FusionConfig | None:
        if isinstance(context, dict) and self.context_schema and context:
            context = self.context_schema(**context)  # as LangGraph itself makes it of what Agent Server hands on
        return self._config_of(config, context)

    def _config_of(self, config: RunnableConfig | None, context: Any) -> FusionConfig | None:
        """Return the configuration of a run where its caller or the graph says it; `None` where nobody does."""
        runtime = ensure_config(config).get("configurable", {}).get(_RUNTIME)
        for candidate in (context, getattr(runtime, "context", None), self.default):
            if isinstance(candidate, FusionConfig):
                return candidate
        return None


_END = object()


async def _is_confidential(config: FusionConfig, inputs: Any) -> bool:
    """Return whether nothing of the run may be shown: its configuration says so, or the router will find it private."""
    if not config.trace_content or config.privacy == "local" or config.documents_stay_local:
        return True
    if _goes_on_from_private(inputs):
        return True
    if config.strategy != "auto":
        return False
    patterns = await asyncio.to_thread(load_patterns)
    return private_pattern(str(inputs), config.instructions, patterns) is not None


def _goes_on_from_private(inputs: Any) -> bool:
    value = inputs
    for name in ("earlier", "plan", "stays_local"):  # the earlier result is an object, or JSON
        value = value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    return value is not None


@contextmanager
def _no_callbacks_around() -> Iterator[None]:
    token = var_child_runnable_config.set(_without_callbacks(var_child_runnable_config.get()))
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)


def _without_callbacks(config: RunnableConfig | None) -> RunnableConfig | None:
    bare = copy(config)
    if bare is not None:
        bare.pop("callbacks", None)
    return bare
