"""From a callback that cannot wait to one that can."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_Say = Callable[[str], Awaitable[None]]


async def relayed(say: _Say, work: Callable[[Callable[[str], None]], Awaitable[T]]) -> T:
    """What `work` returns, while `say` gets, in order, every text that it hands to its callback."""
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def pass_on() -> None:
        while (text := await texts.get()) is not None:
            await say(text)

    passing = asyncio.create_task(pass_on())
    try:
        result = await work(texts.put_nowait)
    except Exception:
        texts.put_nowait(None)
        await passing  # what was said is known before the failure is
        raise
    except BaseException:
        passing.cancel()
        raise
    texts.put_nowait(None)
    await passing
    return result
