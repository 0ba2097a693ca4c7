"""One run for an MCP client: its progress, and its end whatever it is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any, TypeAlias, TypeVar

import anyio

from fusion_tool.config import FusionConfig
from fusion_tool.errors import RecursionRefused
from fusion_tool.run import afuse, astream
from fusion_tool.servers.mcp_tool import Question
from fusion_tool.servers.telling import told

DEPTH = "fusion/depth"
"""The key of a request's `_meta` by which it says how many fusions it comes out of."""

Tell: TypeAlias = Callable[[float, str], Awaitable[None]]
"""Gets how far a run is, a number that grows, and a line about it."""

T = TypeVar("T")


def refuse_recursion(meta: dict[str, Any]) -> None:
    """Refuse a request that comes out of a fusion.

    Args:
        meta: The request's `_meta`.

    Raises:
        RecursionRefused: It does.
    """
    if meta.get(DEPTH, 0) not in (0, "0"):
        raise RecursionRefused("a fusion was started by a panelist of another fusion; give that seat another tool")


async def research(asked: Question, config: FusionConfig, tell: Tell | None) -> dict[str, Any]:
    """The result of a run, as a dict; one that nobody watches costs half of the time.

    Raises:
        FusionError: As `afuse`.
    """
    if tell is None:
        return (await afuse(asked.question, config, context=asked.context)).model_dump(mode="json")
    result: dict[str, Any] = {}
    steps, is_written = 0, False
    events: Any = astream(asked.question, config, context=asked.context)  # a generator, which can be closed
    async with aclosing(events):
        async for event in events:
            line = told(event)
            if event["type"] == "synthesis.delta" and not is_written:
                line, is_written = "the answer is being written", True
            if line is not None:
                steps += 1
                await tell(steps, line)
            result = event.get("result", result)
    return result


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` in a task of its own; where the caller is cancelled cancel it once, and wait for its end.

    The protocol's cancel scopes cancel at every await, until they are left: what `work` does to end well, they break.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise
