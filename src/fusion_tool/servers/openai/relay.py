"""A stream from a model to a client that may read slower than the model writes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
_Say = Callable[[str], Awaitable[None]]


async def relay_deltas(say: _Say, work: Callable[[Callable[[str], None]], Awaitable[T]]) -> T:
    """Return what `work` returns, while `say` gets, in order, every text that `work` hands to its callback.

    Args:
        say: Sends a text to the client.
        work: The call; its callback takes a piece of the answer's text.
    """
    # The callback cannot wait, and a client may read slower than a model writes.
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def relay() -> None:
        while (text := await texts.get()) is not None:
            await say(text)

    relaying = asyncio.create_task(relay())
    try:
        result = await work(texts.put_nowait)
    except Exception:
        texts.put_nowait(None)
        await relaying  # whether a fallback may begin depends on what the client has read by now
        raise
    except BaseException:  # cancelled, and with it the client that would read the rest
        relaying.cancel()
        raise
    texts.put_nowait(None)
    await relaying
    return result
