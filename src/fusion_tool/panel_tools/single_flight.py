"""Identical work in one run is done once: the first caller starts it, the others wait for the same outcome."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Runs each keyed job once and remembers its outcome; a failed job may be tried again."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def __call__(self, key: Hashable, job: Callable[[], Awaitable[T]]) -> T:
        """What `job()` returned, now or when `key` was first asked for.

        Raises:
            Exception: The job's own. The job is cancelled when the last of its waiters is.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(_run(job))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            return await asyncio.shield(flight)
        finally:
            self._waiting[key] -= 1
            if not self._waiting[key] and not _succeeded(flight):
                flight.cancel()
                self._flights.pop(key, None)


def _succeeded(flight: asyncio.Task[Any]) -> bool:
    return flight.done() and not flight.cancelled() and flight.exception() is None


async def _run(job: Callable[[], Awaitable[T]]) -> T:
    return await job()
