"""`fuse`, `afuse`, `astream`: one question in, one grounded answer out, without building anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from pathlib import Path
from typing import Any, cast

from fusion_tool.background import run_sync
from fusion_tool.errors import ConfigError
from fusion_tool.events import Event
from fusion_tool.result import FusionResult
from fusion_tool.runs import Work, default_path, new_work, plain_work, resumed_work
from fusion_tool.settings import ConfigLike, resolve
from fusion_tool.wiring import UNWATCHED


async def afuse(  # noqa: PLR0913 - keyword options, each with a default
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
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
    async with _work(question, config, context, panel_tools, keep, resume, overrides) as work:
        return FusionResult.model_validate(work.result or (await _invoke(work))["result"])


def fuse(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
    panel_tools: Sequence[Any] = (),
    keep: Path | bool = False,
    resume: str | None = None,
    **overrides: Any,
) -> FusionResult:
    """`afuse`, for callers without an event loop; it works inside a running one too, and from any thread."""
    return run_sync(
        afuse(question, config, context=context, panel_tools=panel_tools, keep=keep, resume=resume, **overrides)
    )


async def astream(  # noqa: PLR0913 - as `afuse`
    question: str | None = None,
    config: ConfigLike = None,
    /,
    *,
    context: str = "",
    panel_tools: Sequence[Any] = (),
    keep: Path | bool = False,
    resume: str | None = None,
    **overrides: Any,
) -> AsyncIterator[Event]:
    """`afuse`, event by event; the last one, `run.completed`, carries the result as a dict.

    A resumed run first tells what is done: the plan, the seats that have ended, the analysis.

    Raises:
        FusionError: As `afuse` does, from the iteration.
    """
    async with _work(question, config, context, panel_tools, keep, resume, overrides) as work:
        for event in work.before:
            yield cast("Event", event)
        if work.result:
            yield cast("Event", _completed(work.result))
            return
        async with aclosing(_stream(work)) as events:  # closed with this iterator, not when it is collected
            async for event in events:
                yield cast("Event", event)


def _work(  # noqa: PLR0913, PLR0917 - what `afuse` was called with
    question: str | None,
    config: ConfigLike,
    context: str,
    panel_tools: Sequence[Any],
    keep: Path | bool,
    resume: str | None,
    overrides: dict[str, Any],
) -> AbstractAsyncContextManager[Work]:
    path = default_path() if isinstance(keep, bool) else keep
    if resume is not None:
        if question is not None or context:
            raise ConfigError("a resumed run has its question; leave it out", field="question")
        given = None if config is None and not overrides else resolve(config, **overrides)
        return resumed_work(resume, given, panel_tools, path)
    asked, settings = {"question": question or "", "context": context}, resolve(config, **overrides)
    return plain_work(asked, settings, panel_tools) if keep is False else new_work(asked, settings, panel_tools, path)


async def _invoke(work: Work) -> dict[str, Any]:
    unwatched = {**work.config, "configurable": {**work.config.get("configurable", {}), UNWATCHED: True}}
    state: dict[str, Any] = await work.graph.ainvoke(
        work.input, unwatched, context=work.settings, durability=_durability(work)
    )
    return state


def _stream(work: Work) -> Any:
    return work.graph.astream(
        work.input, work.config, context=work.settings, stream_mode="custom", durability=_durability(work)
    )


def _durability(work: Work) -> str | None:
    return "sync" if work.graph.checkpointer else None  # each step is written before the next one is paid for


def _completed(result: dict[str, Any]) -> dict[str, Any]:
    stamp = {"run_id": result["run_id"], "t": result["timing"]["total_seconds"]}
    return {"type": "run.completed", "status": result["status"], "result": result, **stamp}
