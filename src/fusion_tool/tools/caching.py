"""`cached`: searches and pages that are stored across runs, in one SQLite file, where `cache_seconds` is set."""

import asyncio
import hashlib
import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

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
