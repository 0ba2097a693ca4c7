"""Who listens to a run that is part of another: the writer into the outer run's custom stream."""

from collections.abc import Callable
from typing import Any

from langchain.tools import ToolRuntime
from langgraph.config import get_stream_writer
from langgraph.types import StreamWriter


def listener(runtime: ToolRuntime | None) -> StreamWriter | None:
    """The writer into the custom stream of the run that calls a tool; `None` where nobody reads it.

    Args:
        runtime: The tool's, where it was called by a ToolNode. Where a node of a graph calls it, the node's writer
            serves.
    """
    writer = runtime.stream_writer if runtime is not None else _nodes_writer()
    return None if writer is None or _does_nothing(writer) else writer


def _nodes_writer() -> StreamWriter | None:
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):  # no runnable at work, or none that is a graph's
        return None


def _does_nothing(writer: Callable[[Any], Any]) -> bool:
    """Whether `writer` is an empty function, which is what LangGraph gives where the stream mode is not asked for.

    It has no other way to tell. A writer that is taken for a real one costs a little time, and loses nothing.
    """
    code = getattr(writer, "__code__", None)
    return code is not None and code.co_code == _nothing.__code__.co_code


def _nothing(_: Any) -> None:
    pass
