"""The response cache: who asks the same again on the same day gets the stored result, and pays nothing.

Opt-in, by `FusionConfig.cache`. Whole runs are stored, never single calls, so that the seats of a panel that asks one
model twice stay two. Callers in one process that ask the same at once share one run: a flight.

Its parts: the key (`cache_key`), the file (`read_result`, `write_result`), flights, and `CacheSlot`, a caller's place.
"""

import asyncio
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from fusion_tool.config.installation import version
from fusion_tool.config.schema import Documents, FusionConfig
from fusion_tool.config.serialization import dump_config
from fusion_tool.config.storage import STORAGE_ERRORS, cache_path, with_database
from fusion_tool.errors import ConfigError
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.preflight import forbid_nested_run
from fusion_tool.graph.result import FusionResult
from fusion_tool.models.providers import PROVIDERS

_IRRELEVANT_FIELDS = frozenset({"cache", "list_sources", "summary_tokens", "trace_content"})
"""Fields that change nothing of a result."""
_ENDPOINTS = ("OLLAMA_HOST", "SEARXNG_URL", "OPENAI_BASE_URL", "OPENAI_API_BASE")
"""Variables that say who is asked, besides those of `PROVIDERS`."""


def cache_key(question: str, context: str, config: FusionConfig, panel_tools: Sequence[Any], owner: str = "") -> str:
    """Return the key of a run: a hash of everything that its result depends on, but for chance and the hour.

    Raises:
        ConfigError: A model or tool is an object, or the documents cannot be read.
    """
    _reject_objects(config, panel_tools)
    parts = {
        "question": question.strip(),
        "context": context,
        "config": {field: value for field, value in dump_config(config).items() if field not in _IRRELEVANT_FIELDS},
        "tools": panel_tools,
        "documents": list(_folder_state(config.documents)) if config.documents else None,
        # The same name at another address is another model, and the configuration does not hold the environment.
        "endpoints": [
            os.environ.get(name)
            for name in (*_ENDPOINTS, *(provider.base_url_variable for provider in PROVIDERS.values()))
        ],
        # Prompts and rules change with the version.
        "version": version(),
        "day": today(),
        # What one caller of a server was told is no other's to read.
        "owner": owner,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def today() -> str:
    """Return the day, in UTC."""
    return datetime.now(UTC).date().isoformat()


def _reject_objects(config: FusionConfig, panel_tools: Sequence[Any]) -> None:
    # Two objects of the same name may answer differently, and that of another tenant may hold their secrets.
    for panelist in config.roles:
        if not isinstance(panelist.model, str):
            raise ConfigError(
                f"{panelist.model_name!r} was given as an object, which the cache cannot tell from another one; "
                "name it as 'provider:model', or leave the cache off",
                field="cache",
            )
    for tool in panel_tools:
        if not isinstance(tool, dict):
            raise ConfigError(
                f"the cache cannot tell the tool {getattr(tool, 'name', tool)!r} from another one; leave it off",
                field="cache",
            )


def _folder_state(documents: Documents) -> Iterator[tuple[str, str]]:
    """Yield each document with its signature; one that is being changed does not even match itself."""
    from fusion_tool.tools.documents.folder import list_documents, readable_path

    for document in list_documents([readable_path(path) for path in documents.paths]):
        # The time matches nothing: a document without a signature is being written, and has no state to be cached by.
        yield document.key, document.signature or document.problem or str(time.time_ns())


_SCHEMA = "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, day TEXT NOT NULL, result TEXT NOT NULL);"
_log = logging.getLogger(__name__)
_warned = threading.Event()


def default_path() -> Path:
    """Return `results.sqlite` in the user's cache folder."""
    return cache_path("results.sqlite")


def read_result(key: str) -> dict[str, Any] | None:
    """Return the result stored under `key`; `None` where there is none, or the file cannot be used."""
    path = default_path()
    try:
        if not path.exists():
            return None
        query = "SELECT result FROM results WHERE key = ?"
        row = with_database(path, _SCHEMA, lambda connection: connection.execute(query, (key,)).fetchone())
    except STORAGE_ERRORS as error:
        _warn(path, error)
        return None
    try:
        return None if row is None else FusionResult.model_validate_json(row[0]).model_dump(mode="json")
    except ValueError:  # of another shape, which an unreleased version with the same number may have written
        return None


def write_result(key: str, result: dict[str, Any]) -> None:
    """Store `result`, and delete those of earlier days, whose keys no call has any more."""
    path, day, text = default_path(), today(), json.dumps(result)
    try:
        insert = "INSERT OR REPLACE INTO results (key, day, result) VALUES (?, ?, ?)"

        def write(connection: Any) -> None:
            connection.execute(insert, (key, day, text))
            connection.execute("DELETE FROM results WHERE day < ?", (day,))

        with_database(path, _SCHEMA, write)
    except STORAGE_ERRORS as error:
        _warn(path, error)


def _warn(path: Path, error: Exception) -> None:
    # Once a process: every later call meets the same file.
    if not _warned.is_set():
        _warned.set()
        _log.warning("the response cache is left out, %s is of no use: %s", path, error)


# A future of `concurrent.futures`, not asyncio's: those who wait may be in other threads, each with a loop of its own.
Flight: TypeAlias = "Future[dict[str, Any] | None]"
"""What a run returned, or `None`: it failed or was given up, and the next caller may try."""

_lock = threading.Lock()
_flights: dict[str, Flight] = {}


def join_flight(key: str) -> tuple[Flight, bool]:
    """Return the flight under `key`, and whether it is the caller's own, who then must `finish_flight` it."""
    with _lock:
        if (flight := _flights.get(key)) is not None:
            return flight, False
        flight = _flights[key] = Future()
        flight.set_running_or_notify_cancel()  # whoever waits may be cancelled, and the flight goes on
        return flight, True


def finish_flight(key: str, flight: Flight, result: dict[str, Any] | None) -> None:
    """End a flight, if it has not ended: hand `result` to those who wait, and let the next one start."""
    # Only the flight that is under the key: a caller who gave this one up may have ended it and begun the next.
    with _lock:
        if _flights.get(key) is flight:
            del _flights[key]
            flight.set_result(result)


async def wait_for_flight(key: str, flight: Flight, seconds: float) -> dict[str, Any] | None:
    """Return the result of another's flight; give it up after `seconds`: its owner may have stopped listening."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(flight), seconds)
    except TimeoutError:
        finish_flight(key, flight, None)
        return None


@dataclass
class CacheSlot:
    """One caller's place in the cache.

    Args:
        result: The result as a dict, marked as cached; `None` where the caller has to make it and to call `fill`.
    """

    result: dict[str, Any] | None = None
    _flight: tuple[str, Flight] | None = None

    async def fill(self, result: dict[str, Any]) -> None:
        """Hand the run's result to those who wait for it and, where its status is ok, to later callers."""
        self.result = result
        if self._flight is not None:
            key, flight = self._flight
            # A partial result serves those who wait for it now; stored, it would be what everybody gets all day.
            if result["status"] == "ok":
                await asyncio.to_thread(write_result, key, result)
            # After the file is written: who comes when the flight is over looks there.
            finish_flight(key, flight, result)


@asynccontextmanager
async def cache_slot(  # noqa: PLR0913 - all that a run's key is made of
    question: str,
    context: str,
    config: FusionConfig,
    panel_tools: Sequence[Any] = (),
    *,
    instructions: str = "",
    owner: str = "",
) -> AsyncIterator[CacheSlot]:
    """Take a question's place in the cache.

    Callers that ask the same meanwhile wait for it; where its owner fails or is cancelled, one of them makes it.
    Nobody waits longer than a run may take.

    Args:
        question: The question.
        context: What is already known.
        config: The run's configuration.
        panel_tools: The caller's own tools.
        instructions: How the answer shall be written.
        owner: Whose part of the cache it is.

    Raises:
        ConfigError: A model or tool is an object, or the documents cannot be read.
        RecursionRefused: The caller is a seat of another run, and might wait for itself.
    """
    # A seat that asks what its own run asks would wait for itself.
    forbid_nested_run()
    started = time.monotonic()
    key = await asyncio.to_thread(cache_key, question, f"{context}\0{instructions}", config, panel_tools, owner)
    flight, is_own = join_flight(key)
    while not is_own:
        if (result := await wait_for_flight(key, flight, run_seconds(config))) is not None:
            yield CacheSlot(as_cached(result, started))
            return
        flight, is_own = join_flight(key)
    try:
        # Looked up only now: a run that ended between an earlier look and the joining would be made again.
        if (result := await asyncio.to_thread(read_result, key)) is not None:
            finish_flight(key, flight, result)
        yield CacheSlot(as_cached(result, started) if result else None, (key, flight))
    finally:
        # Ends only a flight that brought no result: those who wait then try themselves.
        finish_flight(key, flight, None)


def as_cached(result: dict[str, Any], started: float) -> dict[str, Any]:
    """Return `result` marked as cached, with no bill and a new time; what its run cost stands in the plan's reason.

    Args:
        result: The stored result.
        started: When this call began, on `time.monotonic`'s clock.
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
