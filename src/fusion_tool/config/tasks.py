"""Tasks that are not broken off with whoever waits for them."""

import asyncio
from typing import TypeVar

T = TypeVar("T")


async def finish(task: "asyncio.Future[T]") -> T:
    """Return a task's result; whoever is cancelled meanwhile waits until it has ended, and is then cancelled."""
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
