"""A caller's turn at a question: the result is there, or his to make."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fusion_tool.cache.flight import Landing, land, landed, take_off
from fusion_tool.cache.key import key_of
from fusion_tool.cache.store import keep, kept
from fusion_tool.config import FusionConfig
from fusion_tool.recursion import refuse_inside_seat


@dataclass
class Turn:
    """One caller's turn.

    Args:
        result: The result as a dict, marked as cached; where it is `None` the caller makes it and calls `made`.
    """

    result: dict[str, Any] | None = None
    _flight: tuple[str, Landing] | None = None

    async def made(self, result: dict[str, Any]) -> None:
        """Hand over what the run returned: to those who wait for it and, where its status is ok, to later ones."""
        self.result = result
        if self._flight is not None:
            key, flight = self._flight
            if result["status"] == "ok":
                await asyncio.to_thread(keep, key, result)
            land(key, flight, result)


@asynccontextmanager
async def turn(
    question: str, context: str, config: FusionConfig, panel_tools: Sequence[Any] = (), *, instructions: str = ""
) -> AsyncIterator[Turn]:
    """A turn at a question; without `config.cache` the result is always the caller's to make.

    Whoever else asks the same meanwhile waits for it, and where the maker fails or is cancelled, one of them makes it.
    Nobody waits longer than a run may take.

    Args:
        question: As it is asked.
        context: What is known already.
        config: The run's configuration.
        panel_tools: The caller's own tools.
        instructions: How the answer shall be written.

    Raises:
        ConfigError: With the cache: a model or tool is an object, or the documents cannot be read.
        RecursionRefused: With the cache: the caller is a seat of another run, and might wait for itself.
    """
    if not config.cache:
        yield Turn()
        return
    refuse_inside_seat()
    started = time.monotonic()
    key = await asyncio.to_thread(key_of, question, f"{context}\0{instructions}", config, panel_tools)
    flight, is_mine = take_off(key)
    while not is_mine:
        if (found := await landed(key, flight, config.limits.seconds)) is not None:
            yield Turn(again(found, started))
            return
        flight, is_mine = take_off(key)
    try:
        if (known := await asyncio.to_thread(kept, key)) is not None:
            land(key, flight, known)
        yield Turn(again(known, started) if known else None, (key, flight))
    finally:
        land(key, flight, None)


def again(result: dict[str, Any], started: float) -> dict[str, Any]:
    """`result`, given again: marked, billed nothing, and timed anew; what its run cost stands in the plan's reason.

    Args:
        result: As its run returned it.
        started: When it was asked for this time, on `time.monotonic`'s clock.
    """
    bill, plan = result["usage"], result["plan"]
    cost = "an unknown amount" if bill["cost_usd"] is None else f"${bill['cost_usd']:.4f}"
    more = f" and {bill['unpriced_calls']} calls of unknown cost" if bill["unpriced_calls"] else ""
    reason = f"{plan['reason']}; from the cache: the run of {result['created_at']} cost {cost}{more}"
    return result | {
        "cached": True,
        "plan": plan | {"reason": reason},
        "usage": {"calls": [], "input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "unpriced_calls": 0},
        "timing": dict.fromkeys(result["timing"]) | {"total_seconds": round(time.monotonic() - started, 3)},
    }
