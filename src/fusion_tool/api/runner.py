"""A panel as its face owns it, a tool or a chat model: run after run inside a caller's own run, under one session."""

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig

from fusion_tool.api.response_cache import cache_slot
from fusion_tool.budget.session import SESSION_KEY, Session
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.events import Event, run_completed, run_started
from fusion_tool.graph.build import build_graph
from fusion_tool.graph.runtime import UNWATCHED_KEY
from fusion_tool.graph.state import FusionInput


class PanelRunner:
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

    async def stream(
        self,
        inputs: FusionInput,
        *,
        is_watched: bool,
        config: FusionConfig | None = None,
        callbacks: BaseCallbackManager | None = None,
    ) -> AsyncGenerator[Event, None]:
        """One run, event by event; the last one, `run.completed`, carries the result as a dict.

        Closing the iterator cancels the run. It is part of the run at work, if any, whose callbacks, tags and metadata
        it inherits.

        Args:
            inputs: The graph's input, with a `question`.
            is_watched: Whether somebody reads the answer while it is written; else it need not be streamed.
            config: What this run alone uses.
            callbacks: Those that it gets instead of the inherited ones.

        Raises:
            FusionError: As `afuse`.
        """
        config = config or self.config
        async with cache_slot(*_question_of(inputs), config, self._tools, instructions=_answer_form(inputs)) as mine:
            if mine.result is not None:
                yield cast("Event", run_started(mine.result))
                yield cast("Event", run_completed(mine.result))
                return
            with self.session.run(config.limits.seconds) as seconds:
                limits = config.limits.model_copy(update={"seconds": seconds})
                stream: Any = self._graph.astream(  # a generator, which it is not typed as
                    inputs,
                    self._run(callbacks, is_watched=is_watched),
                    context=config.model_copy(update={"limits": limits}),
                    stream_mode="custom",
                )
                async with aclosing(stream) as events:
                    async for event in events:
                        if event["type"] == "run.completed":
                            await mine.fill(event["result"])
                        yield cast("Event", event)

    def _run(self, callbacks: BaseCallbackManager | None, *, is_watched: bool) -> RunnableConfig:
        given = {SESSION_KEY: self.session} | ({} if is_watched else {UNWATCHED_KEY: True})
        run = RunnableConfig(run_name="fusion", configurable=given)
        return run if callbacks is None else {**run, "callbacks": callbacks}


def _question_of(inputs: FusionInput) -> tuple[str, str]:
    return inputs["question"], inputs.get("context", "")


def _answer_form(inputs: FusionInput) -> str:
    """How the answer shall look, for telling one question's answers apart."""
    schema = inputs.get("answer_schema")
    return f"{inputs.get('instructions', '')}{json.dumps(schema) if schema else ''}"
