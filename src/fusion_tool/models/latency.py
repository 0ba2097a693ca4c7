"""Time to first token: how long each model was silent before it began to answer, over its latest calls."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles

from fusion_tool.config import Panelist
from fusion_tool.models.endpoints import endpoint_of

_WINDOW = 50
_ENOUGH = 10
"""Observations before which a tail cannot be told."""

_seen: dict[tuple[str | None, str], deque[float]] = {}


def observe(panelist: Panelist, seconds: float) -> None:
    """Note that a call of the panelist's model was silent for `seconds` before its first token."""
    _seen.setdefault(_key(panelist), deque(maxlen=_WINDOW)).append(seconds)


def p90(panelist: Panelist) -> float | None:
    """The seconds within which nine of ten recent calls had begun; `None` while fewer than ten are known."""
    seen = _seen.get(_key(panelist), ())
    return quantiles(seen, n=10)[-1] if len(seen) >= _ENOUGH else None


def give_up(panelist: Panelist, seconds: float) -> None:
    """Note that a call was cancelled after `seconds` of silence.

    The silence would have lasted longer, which says something only where it was long already: then it counts, as a
    lower bound. Left out, the slowest calls would vanish, and the tail with them, the more the earlier they are cut.
    """
    known = p90(panelist)
    if known is not None and seconds >= known:
        observe(panelist, seconds)


class FirstToken:
    """One call's wait for its first token.

    Args:
        panelist: Whose model is called.
        on_first: Told when it comes.

    Attributes:
        seconds: From the attempt's start until it came; `None` where none came, or the call does not stream.
    """

    def __init__(self, panelist: Panelist, on_first: Callable[[], None] | None = None) -> None:
        self._panelist, self._on_first = panelist, on_first
        self._since = 0.0
        self.seconds: float | None = None

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """Make one attempt inside."""
        self._since = time.monotonic()
        try:
            yield
        except asyncio.CancelledError:
            if self.seconds is None:
                give_up(self._panelist, time.monotonic() - self._since)
            raise

    def came(self) -> None:
        """Note a token; only the first one counts."""
        if self.seconds is None:
            self.seconds = time.monotonic() - self._since
            observe(self._panelist, self.seconds)
            if self._on_first:
                self._on_first()


def _key(panelist: Panelist) -> tuple[str | None, str]:
    return endpoint_of(panelist), panelist.model_name
