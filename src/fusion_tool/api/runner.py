"""A panel as its face owns it, a tool or a chat model: run after run inside a caller's own run, under one session."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from fusion_tool.api.response_cache import turn
from fusion_tool.budget.session import SESSION, Session
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.events import Event, completed, started
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.runtime import UNWATCHED
from fusion_tool.graph.state import FusionInput


class Panel:
    """Asks one panel, as often as its owner is called.

    Args:
        config: What every run uses.
        panel_tools: LangChain tools that every seat gets besides its own.
        session_limits: Of all runs together.

    Raises:
        ConfigError: `session_limits` sets what holds for one run alone.
    """

    def __init__(
        self, config: FusionConfig, panel_tools: Sequence[Any] = (), session_limits: Limits | None = None
    ) -> None:
        self.config, self.session = config, Session(session_limits)
        self._tools = tuple(panel_tools)
        self._graph = build_graph(config, panel_tools=self._tools)

    async def events(
        self,
        asked: FusionInput,
        *,
        is_watched: bool,
        config: FusionConfig | None = None,
        callbacks: BaseCallbackManager | None = None,
    ) -> AsyncGenerator[Event, None]:
        """One run, event by event; the last one, `run.completed`, carries the result as a dict.

        Closing the iterator cancels the run. It is part of the run at work, if any, whose callbacks, tags and metadata
        it inherits.

        Args:
            asked: The graph's input, with a `question`.
            is_watched: Whether somebody reads the answer while it is written; else it need not be streamed.
            config: What this run alone uses.
            callbacks: Those that it gets instead of the inherited ones.

        Raises:
            FusionError: As `afuse`.
        """
        config = config or self.config
        async with turn(*_of(asked), config, self._tools, instructions=_form(asked)) as mine:
            if mine.result is not None:
                yield cast("Event", started(mine.result))
                yield cast("Event", completed(mine.result))
                return
            with self.session.at_work(config.limits.seconds) as seconds:
                limits = config.limits.model_copy(update={"seconds": seconds})
                stream: Any = self._graph.astream(  # a generator, which it is not typed as
                    asked,
                    self._run(callbacks, is_watched=is_watched),
                    context=config.model_copy(update={"limits": limits}),
                    stream_mode="custom",
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        if event["type"] == "run.completed":
                            await mine.made(event["result"])
                        yield cast("Event", event)

    def _run(self, callbacks: BaseCallbackManager | None, *, is_watched: bool) -> RunnableConfig:
        given = {SESSION: self.session} | ({} if is_watched else {UNWATCHED: True})
        run = RunnableConfig(run_name="fusion", configurable=given)
        return run if callbacks is None else {**run, "callbacks": callbacks}


def _of(asked: FusionInput) -> tuple[str, str]:
    return asked["question"], asked.get("context", "")


def _form(asked: FusionInput) -> str:
    """How the answer shall look, for telling one question's answers apart."""
    schema = asked.get("answer_schema")
    return f"{asked.get('instructions', '')}{json.dumps(schema) if schema else ''}"
