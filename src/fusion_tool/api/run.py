"""`fuse`, `afuse`, `astream`: one question in, one grounded answer out, without building a graph or a tool."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from typing import Any, Unpack

from fusion_tool.api.execution import Execution, resumed_run, stored_run, transient_run
from fusion_tool.api.response_cache import CacheSlot
from fusion_tool.api.run_store import StorePlace, default_place
from fusion_tool.api.runner import final_result, request_slot, stream_run
from fusion_tool.api.sync import run_sync
from fusion_tool.config.loading import ConfigLike, resolve_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.settings import Settings
from fusion_tool.errors import ConfigError
from fusion_tool.events import Event
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.result import FusionResult


async def afuse(  # noqa: PLR0913 - keyword options, each with a default
    question: str | None = None,
    config: ConfigLike = None,
    *,
    context: str = "",
    earlier: FusionResult | None = None,
    panel_tools: Sequence[Any] = (),
    keep: StorePlace | bool = False,
    resume: str | None = None,
    **overrides: Unpack[Settings],
) -> FusionResult:
    """Ask a panel, or finish a run that was broken off.

    Args:
        question: What to find out, at most 100,000 characters.
        config: A preset's name, a `FusionConfig`, or the path of a TOML file; `None` is the user's own file.
        context: What is already known.
        earlier: The result of a run that the question goes on from: the panel starts from its answer, its sources and
            its disputes, and looks for what is new or open. `None` begins anew.
        panel_tools: LangChain tools that every seat gets besides its own.
        keep: Keep the run, so that it can be resumed: in a SQLite file of that path, in the PostgreSQL database of that
            address (`postgresql://...`), or, where `True`, in the configured database, else in the user's data folder.
            It holds the question, what was read and what was answered, for 30 days; no keys.
        resume: Instead of a question the id of a kept run (`FusionResult.run_id`): only what is missing is done, with
            the stored configuration. A finished run's result is given again. `panel_tools` are not stored.
        overrides: Fields of `FusionConfig` that replace the configuration's; nested ones merge, and may be dicts.
            `preset` names the preset that a file's settings override.

    Where the database or the data folder that shall keep the run cannot be used, the run goes on and `degraded` says
    `not_kept`.

    Raises:
        ConfigError: The question or the configuration is wrong; names the field. Or the run to be resumed is unknown,
            being worked on by another process, or was started with another configuration.
        DatabaseUnavailable: The run to be resumed is in a database that cannot be reached.
        PanelFailed: No usable answer; holds every seat's reason.
        SandboxUnavailable: The shell is required and does not work here.
        RecursionRefused: Called from inside a seat of another run.
    """
    request = _RunRequest(RunInput(question or "", context, earlier=earlier), tuple(panel_tools), keep, resume)
    events = request.events(request.config_for(config, overrides), is_watched=False)
    return FusionResult.model_validate(await final_result(events))


def fuse(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    *,
    context: str = "",
    earlier: FusionResult | None = None,
    panel_tools: Sequence[Any] = (),
    keep: StorePlace | bool = False,
    resume: str | None = None,
    **overrides: Unpack[Settings],
) -> FusionResult:
    """Do what `afuse` does, for callers without an event loop; works inside a running loop too, and from any thread."""
    options: dict[str, Any] = {"context": context, "earlier": earlier}
    options |= {"panel_tools": panel_tools, "keep": keep, "resume": resume}
    return run_sync(afuse(question, config, **options, **overrides))


async def astream(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    *,
    context: str = "",
    earlier: FusionResult | None = None,
    panel_tools: Sequence[Any] = (),
    keep: StorePlace | bool = False,
    resume: str | None = None,
    **overrides: Unpack[Settings],
) -> AsyncIterator[Event]:
    """Stream what `afuse` does, event by event; the last one, `run.completed`, carries the result as a dict.

    A resumed run first repeats what is done: the plan, the seats that have ended, the analysis. A run whose result
    comes from the cache has only `run.started` and `run.completed`.

    Raises:
        FusionError: As `afuse` does, from the iteration.
    """
    request = _RunRequest(RunInput(question or "", context, earlier=earlier), tuple(panel_tools), keep, resume)
    # Closed with this iterator, not when it is collected.
    async with aclosing(request.events(request.config_for(config, overrides), is_watched=True)) as events:
        async for event in events:
            yield event


@dataclass(frozen=True)
class _RunRequest:
    """A call of `afuse`, without its configuration."""

    input: RunInput
    panel_tools: tuple[Any, ...]
    keep: StorePlace | bool
    resume: str | None

    def config_for(self, config: ConfigLike, overrides: Settings) -> FusionConfig | None:
        """Return the configuration; `None` for a resumed run that is to use its own.

        Raises:
            ConfigError: A question for a run that has its own, or a wrong configuration.
        """
        if self.resume is not None and any(self.input):
            raise ConfigError("a resumed run has its question; leave it out", field="question")
        # A configuration beside `resume` is not merged: it has to be the run's own, and gives models that are objects.
        uses_stored = self.resume is not None and config is None and not overrides
        return None if uses_stored else resolve_config(config, **overrides)

    def events(self, config: FusionConfig | None, *, is_watched: bool) -> AsyncGenerator[Event, None]:
        """Carry out the run, event by event, as `stream_run` does."""
        return stream_run(self._execution(config), self._cache_slot(config), is_watched=is_watched)

    def _cache_slot(self, config: FusionConfig | None) -> AbstractAsyncContextManager[CacheSlot] | None:
        # A resumed run has begun its answer, which no other run's may replace.
        if config is None or self.resume is not None:
            return None
        return request_slot(self.input, config, self.panel_tools)

    def _execution(self, config: FusionConfig | None) -> AbstractAsyncContextManager[Execution]:
        inputs, tools = self.input.graph_input, self.panel_tools
        if config is not None and self.resume is None and self.keep is False:
            return transient_run(inputs, config, tools)
        place = default_place(config) if isinstance(self.keep, bool) else self.keep
        if config is not None and self.resume is None:
            return stored_run(inputs, config, tools, place)
        return resumed_run(self.resume or "", config, tools, place)
