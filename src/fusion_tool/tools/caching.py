"""Each look-up made once: `SingleFlight` inside a run, `cached` across runs.

Inside a run the first caller starts the work and the others wait for the same outcome. Across runs searches and pages
are stored in one SQLite file of the user's, where `cache_seconds` is set.
"""

import asyncio
import hashlib
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Hashable
from functools import lru_cache
from typing import Any, TypeVar

from fusion_tool.config.storage import cache_path, make_private
from fusion_tool.tools.serializer import PlainSerializer, UnreadableRowError

_log = logging.getLogger(__name__)


async def cached(
    key: tuple[Any, ...],
    job: Callable[[], Awaitable[dict[str, Any]]],
    *,
    seconds: int | None,
    worth_keeping: Callable[[dict[str, Any]], bool] = lambda _value: True,
) -> dict[str, Any]:
    """Return what `job()` returned within the last `seconds`, in this run or an earlier one, else run it now.

    A cache that is locked, corrupt or read-only costs one warning, never the answer.

    Args:
        key: JSON values: the job's name and everything that its outcome depends on.
        job: Computes the value, an object of JSON values.
        seconds: Time to live of a stored value; with `None` nothing is read or stored.
        worth_keeping: Whether a new value may be stored.
    """
    if seconds is None:
        return await job()
    full = (("fusion-tool",), hashlib.sha256(json.dumps(key).encode()).hexdigest())
    try:
        cache = await asyncio.to_thread(_cache)  # opening the file may wait for another process's lock
        if (hit := (await cache.aget([full])).get(full)) is not None:
            return dict(hit)
    # A bad row costs one look-up, whose outcome then takes its place; a bad file would fail at every step below.
    except UnreadableRowError as error:
        _log.warning("a search or page that was kept is made again: %s", error)
    except (sqlite3.Error, OSError) as error:
        _log.warning("the cache of searches and pages is left out: %s", error)
        return await job()
    value = await job()
    if worth_keeping(value):
        try:
            await cache.aset({full: (value, seconds)})
        except sqlite3.Error as error:
            _log.warning("a search or page was not kept: %s", error)
    return value


@lru_cache(maxsize=1)
def _cache() -> Any:
    from langgraph.cache.sqlite import SqliteCache

    path = cache_path("tools.sqlite")
    make_private(path)
    return SqliteCache(path=str(path), serde=PlainSerializer())


T = TypeVar("T")


class SingleFlight:
    """A register of keyed jobs: each runs once and its outcome is remembered; a failed job may be tried again."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}
        self._waiting: dict[Hashable, int] = {}

    async def __call__(self, key: Hashable, job: Callable[[], Awaitable[T]]) -> T:
        """Return what `job()` returned, now or for the first caller with `key`.

        Raises:
            Exception: The job's own. The job is cancelled when the last of its waiters is.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.ensure_future(_run(job))
        self._waiting[key] = self._waiting.get(key, 0) + 1
        try:
            # A seat that is cancelled must not take the look-up from the others that wait for it.
            return await asyncio.shield(flight)
        finally:
            self._waiting[key] -= 1
            # An unfinished look-up ends with its last waiter; a failed one is forgotten, so that it can be repeated.
            if not self._waiting[key] and not _has_succeeded(flight):
                flight.cancel()
                self._flights.pop(key, None)


def _has_succeeded(flight: asyncio.Task[Any]) -> bool:
    return flight.done() and not flight.cancelled() and flight.exception() is None


async def _run(job: Callable[[], Awaitable[T]]) -> T:
    return await job()
