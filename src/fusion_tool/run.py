"""`fuse`, `afuse`, `astream`: one question in, one grounded answer out, without building anything."""

from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from typing import Any, cast

from langchain_core.runnables import RunnableConfig

from fusion_tool.background import run_sync
from fusion_tool.events import Event
from fusion_tool.graph import build_graph
from fusion_tool.result import FusionResult
from fusion_tool.settings import ConfigLike, resolve


async def afuse(
    question: str, config: ConfigLike = None, /, *, context: str = "", panel_tools: Sequence[Any] = (), **overrides: Any
) -> FusionResult:
    """Ask a panel.

    Args:
        question: What to find out, at most 100,000 characters.
        config: A preset's name, a `FusionConfig`, or the path of a TOML file.
        context: What is already known.
        panel_tools: LangChain tools that every seat gets besides its own.
        overrides: Fields of `FusionConfig` that replace the configuration's; nested ones merge.

    Raises:
        ConfigError: The question or the configuration is wrong; names the field.
        PanelFailed: No usable answer; holds every seat's reason.
        SandboxUnavailable: The shell is required and does not work here.
        RecursionRefused: Called from inside a seat of another run.
    """
    settings = resolve(config, **overrides)
    state = await _graph(tuple(panel_tools)).ainvoke(
        {"question": question, "context": context}, _quiet(), context=settings
    )
    return FusionResult.model_validate(state["result"])


def fuse(
    question: str, config: ConfigLike = None, /, *, context: str = "", panel_tools: Sequence[Any] = (), **overrides: Any
) -> FusionResult:
    """`afuse`, for callers without an event loop; it works inside a running one too, and from any thread."""
    return run_sync(afuse(question, config, context=context, panel_tools=panel_tools, **overrides))


async def astream(
    question: str, config: ConfigLike = None, /, *, context: str = "", panel_tools: Sequence[Any] = (), **overrides: Any
) -> AsyncIterator[Event]:
    """`afuse`, event by event; the last one, `run.completed`, carries the result as a dict.

    Raises:
        FusionError: As `afuse` does, from the iteration.
    """
    settings = resolve(config, **overrides)
    stream = _graph(tuple(panel_tools)).astream(
        {"question": question, "context": context}, _quiet(), context=settings, stream_mode="custom"
    )
    async for event in stream:
        yield cast("Event", event)


def _graph(panel_tools: tuple[Any, ...]) -> Any:
    return build_graph(panel_tools=panel_tools) if panel_tools else _plain_graph()


@lru_cache(maxsize=1)
def _plain_graph() -> Any:
    return build_graph()


def _quiet() -> RunnableConfig:
    return RunnableConfig(run_name="fusion")
