"""A graph that keeps `trace_content`: its callers' tracers are made content-free before its first event."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.graph.state import CompiledStateGraph

from fusion_tool.config import FusionConfig
from fusion_tool.tracing import content_free

_RUNTIME = "__pregel_runtime"
"""Where LangGraph hands a parent's runtime, with its context, down to a subgraph."""


class DiscreetGraph(CompiledStateGraph[Any, Any, Any, Any]):
    """A compiled graph whose context is a `FusionConfig`; `default` is what runs without one use."""

    default: FusionConfig | None

    @classmethod
    def of(cls, compiled: CompiledStateGraph[Any, Any, Any, Any], default: FusionConfig | None) -> "DiscreetGraph":
        """`compiled` itself, discreet from now on: LangGraph does not take a class to compile to."""
        compiled.__class__ = cls
        assert isinstance(compiled, cls)  # noqa: S101 - for the type checker
        compiled.default = default
        return compiled

    def copy(self, update: dict[str, Any] | None = None) -> "DiscreetGraph":
        """As LangGraph's."""
        return DiscreetGraph.of(super().copy(update), self.default)

    async def astream(
        self,
        input: Any,  # noqa: A002 - LangGraph's name
        config: RunnableConfig | None = None,
        *,
        context: Any = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """As LangGraph's, which `ainvoke` and `astream_events` go through too."""
        if not await self._shows_content(input, config, context):
            config = content_free(config)
        async with aclosing(super().astream(input, config, context=context, **options)) as parts:  # type: ignore[type-var]
            async for part in parts:
                yield part

    async def _shows_content(self, asked: Any, config: RunnableConfig | None, context: Any) -> bool:
        """What the run's configuration says; where a resumed run is given none, the one that it began with."""
        if isinstance(context, dict):  # as Agent Server has it
            return bool(context.get("trace_content", True))
        runtime = ensure_config(config).get("configurable", {}).get(_RUNTIME)
        for given in (context, getattr(runtime, "context", None), self.default):
            if isinstance(given, FusionConfig):
                return given.trace_content
        if isinstance(asked, dict) or not self.checkpointer:
            return True
        run = (await self.aget_state(ensure_config(config))).values.get("run") or {}
        return bool(run.get("config", {}).get("trace_content", True))
