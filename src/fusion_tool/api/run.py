"""`fuse`, `afuse`, `astream`: one question in, one grounded answer out, without building anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fusion_tool.api.execution import Execution, resumed_run, stored_run, transient_run
from fusion_tool.api.response_cache import CacheSlot
from fusion_tool.api.response_cache import cache_slot as cached_turn
from fusion_tool.api.run_store import default_path
from fusion_tool.api.sync import run_sync
from fusion_tool.config.loading import ConfigLike, resolve_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.events import Event, run_completed, run_started
from fusion_tool.graph.result import FusionResult
from fusion_tool.graph.runtime import UNWATCHED_KEY


async def afuse(  # noqa: PLR0913 - keyword options, each with a default
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
    instructions: str = "",
    panel_tools: Sequence[Any] = (),
    keep: Path | bool = False,
    resume: str | None = None,
    **overrides: Any,
) -> FusionResult:
    """Ask a panel, or finish a run that was broken off.

    Args:
        question: What to find out, at most 100,000 characters.
        config: A preset's name, a `FusionConfig`, or the path of a TOML file.
        context: What is already known.
        instructions: How the answer shall be written: language, tone, length. The synthesizer is told, no seat is.
        panel_tools: LangChain tools that every seat gets besides its own.
        keep: Keep the run, so that it can be resumed: in a SQLite file of that path, or, where `True`, in the user's
            data folder. It holds the question, what was read and what was answered, for 30 days; no keys.
        resume: Instead of a question the id of a kept run (`FusionResult.run_id`): only what is missing is done, with
            the stored configuration. A finished run's result is given again. `panel_tools` are not stored.
        overrides: Fields of `FusionConfig` that replace the configuration's; nested ones merge.

    Raises:
        ConfigError: The question or the configuration is wrong; names the field. Or the run to be resumed is unknown,
            being worked on by another process, or was started with another configuration.
        PanelFailed: No usable answer; holds every seat's reason.
        SandboxUnavailable: The shell is required and does not work here.
        RecursionRefused: Called from inside a seat of another run.
    """
    asked = _RunRequest(question or "", context, instructions, tuple(panel_tools), keep, resume)
    settings = asked.config_for(config, overrides)
    async with asked.cache_slot(settings) as turn:
        if turn.result is None:
            async with asked.execution(settings) as work:
                await turn.fill(work.result or (await _invoke(work))["result"])
    return FusionResult.model_validate(turn.result)


def fuse(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
    instructions: str = "",
    panel_tools: Sequence[Any] = (),
    keep: Path | bool = False,
    resume: str | None = None,
    **overrides: Any,
) -> FusionResult:
    """`afuse`, for callers without an event loop; it works inside a running one too, and from any thread."""
    options: dict[str, Any] = {"context": context, "instructions": instructions, "panel_tools": panel_tools}
    return run_sync(afuse(question, config, **options, keep=keep, resume=resume, **overrides))


async def astream(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
    instructions: str = "",
    panel_tools: Sequence[Any] = (),
    keep: Path | bool = False,
    resume: str | None = None,
    **overrides: Any,
) -> AsyncIterator[Event]:
    """`afuse`, event by event; the last one, `run.completed`, carries the result as a dict.

    A resumed run first tells what is done: the plan, the seats that have ended, the analysis. One whose result the
    cache gives has but `run.started` and `run.completed`.

    Raises:
        FusionError: As `afuse` does, from the iteration.
    """
    asked = _RunRequest(question or "", context, instructions, tuple(panel_tools), keep, resume)
    settings = asked.config_for(config, overrides)
    async with asked.cache_slot(settings) as turn:
        if turn.result is not None:
            yield cast("Event", run_started(turn.result))
            yield cast("Event", run_completed(turn.result))
            return
        async with asked.execution(settings) as work:
            for event in work.past_events:
                yield cast("Event", event)
            if work.result:
                yield cast("Event", run_completed(work.result))
                return
            async with aclosing(_stream(work)) as events:  # closed with this iterator, not when it is collected
                async for event in events:
                    if event["type"] == "run.completed":
                        await turn.fill(event["result"])
                    yield cast("Event", event)


@dataclass(frozen=True)
class _RunRequest:
    """What `afuse` was called with, but the configuration."""

    question: str
    context: str
    instructions: str
    panel_tools: tuple[Any, ...]
    keep: Path | bool
    resume: str | None

    def config_for(self, config: ConfigLike, overrides: dict[str, Any]) -> FusionConfig | None:
        """The configuration; `None` for a resumed run that is to use its own."""
        if self.resume is not None and (self.question or self.context or self.instructions):
            raise ConfigError("a resumed run has its question; leave it out", field="question")
        own = self.resume is not None and config is None and not overrides
        return None if own else resolve_config(config, **overrides)

    def cache_slot(self, settings: FusionConfig | None) -> AbstractAsyncContextManager[CacheSlot]:
        """A turn at the question; a resumed run has its answer begun, and leaves the cache alone."""
        if settings is None or self.resume is not None:
            return nullcontext(CacheSlot())
        return cached_turn(self.question, self.context, settings, self.panel_tools, instructions=self.instructions)

    def execution(self, settings: FusionConfig | None) -> AbstractAsyncContextManager[Execution]:
        """The run to be done."""
        path = default_path() if isinstance(self.keep, bool) else self.keep
        if settings is None or self.resume is not None:
            return resumed_run(self.resume or "", settings, self.panel_tools, path)
        asked = {"question": self.question, "context": self.context, "instructions": self.instructions}
        if self.keep is False:
            return transient_run(asked, settings, self.panel_tools)
        return stored_run(asked, settings, self.panel_tools, path)


async def _invoke(work: Execution) -> dict[str, Any]:
    unwatched = {**work.config, "configurable": {**work.config.get("configurable", {}), UNWATCHED_KEY: True}}
    state: dict[str, Any] = await work.graph.ainvoke(
        work.input, unwatched, context=work.run_config, durability=_durability(work)
    )
    return state


def _stream(work: Execution) -> Any:
    return work.graph.astream(
        work.input, work.config, context=work.run_config, stream_mode="custom", durability=_durability(work)
    )


def _durability(work: Execution) -> str | None:
    return "sync" if work.graph.checkpointer else None  # each step is written before the next one is paid for
