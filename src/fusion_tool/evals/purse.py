"""What an evaluation may still cost: no run is begun that could pass the limit, and no call is made that could."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fusion_tool.config import Limits
from fusion_tool.session import Session


class Purse:
    """Dollars for a folder, all its commands together.

    Args:
        limit: In US dollars; `None` for none.
        spent: What is gone.
        kept_back: What the grading of the answers so far may take.
    """

    def __init__(self, limit: float | None, spent: float = 0.0, kept_back: float = 0.0) -> None:
        left = None if limit is None else limit - spent
        self.session = None if left is None or left <= 0 else Session(Limits(usd=left))
        """Every call is reserved in its ledger; `None` without a limit, or where nothing is left."""
        self._is_empty = left is not None and left <= 0
        self._kept_back, self._held = kept_back, 0.0
        self._changed = asyncio.Condition()

    @property
    def left(self) -> float | None:
        """Dollars that are neither spent nor kept back; `None` without a limit."""
        if self._is_empty:
            return 0.0
        return None if self.session is None else max(0.0, self.session.ledger.left("usd") - self._kept_back)

    @asynccontextmanager
    async def room_for(self, worst: float, later: float = 0.0) -> AsyncIterator[bool]:
        """Whether there is room for something that costs `worst` dollars at most; waits while others may leave some.

        Args:
            worst: What it may cost inside the context.
            later: What is kept back for it afterwards, for its grading.
        """
        granted = await self._granted(worst + later)
        try:
            yield granted
        finally:
            if granted:
                async with self._changed:
                    self._held -= worst + later
                    self._kept_back += later
                    self._changed.notify_all()

    async def _granted(self, usd: float) -> bool:
        async with self._changed:
            while True:
                left = self.left
                if left is None or usd <= left - self._held:
                    self._held += usd
                    return True
                if self._held <= 0:
                    return False
                await self._changed.wait()
