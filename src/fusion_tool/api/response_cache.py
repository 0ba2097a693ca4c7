"""The response cache: who asks the same again on the same day gets the stored result, and pays nothing.

Opt-in, by `FusionConfig.cache`. Whole runs are stored, never single calls, so that the seats of a panel that asks one
model twice stay two. Callers that ask the same at once share one run: in a process by a flight, of all processes that
share the store by its lock.

Its parts: the key (`cache_key`), flights, and `CacheSlot`, a caller's place; the store is `response_store`'s.
"""

import asyncio
import hashlib
import json
import logging
import os
import platform
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from fusion_tool.api.response_store import ResponseStore, response_store
from fusion_tool.config.installation import version
from fusion_tool.config.schema import Documents, FusionConfig
from fusion_tool.config.serialization import dump_config
from fusion_tool.config.system import utc_day
from fusion_tool.errors import ConfigError, DatabaseUnavailable
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.preflight import forbid_nested_run
from fusion_tool.graph.result import FusionResult
from fusion_tool.models.providers import PROVIDERS, has_own_server

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
        # Under the same name and address each machine has a server of its own, and a store may be shared by many.
        "machine": platform.node() if any(map(has_own_server, config.roles)) else None,
        # Prompts and rules change with the version.
        "version": version(),
        "day": utc_day(),
        # What one caller of a server was told is no other's to read.
        "owner": owner,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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


_log = logging.getLogger(__name__)
_failing = threading.Event()


def _warn(error: DatabaseUnavailable) -> str:
    """Return what is told of a store that fails; the log has it once, until the store works again."""
    text = f"the response cache is left out, {error}"
    if not _failing.is_set():
        _failing.set()
        _log.warning(text)
    return text


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
        store: Where results are kept.
        result: The result as a dict, marked as cached; `None` where the caller has to make it and to call `fill`.
        problem: Why the cache is of no use for this run; `None` where it is.
    """

    store: ResponseStore
    result: dict[str, Any] | None = None
    problem: str | None = None
    _flight: tuple[str, Flight] | None = None

    async def fill(self, result: dict[str, Any]) -> None:
        """Hand the run's result to those who wait for it and, where its status is ok, to later callers.

        A result that nobody else can share says so: `not_cached`, with the reason in its plan.
        """
        if self._flight is not None:
            key, flight = self._flight
            try:
                if self.problem is None:
                    await self.store.write(key, result)
                    _failing.clear()
            except DatabaseUnavailable as error:
                self.problem = _warn(error)
            if self.problem is not None:
                result["plan"]["reason"] += f"; {self.problem}"
                result["degraded"] = [*result["degraded"], "not_cached"]
            # After it is stored: who comes when the flight is over looks there.
            finish_flight(key, flight, result)
        self.result = result


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

    Callers that ask the same meanwhile wait for it, in other processes too; where its owner fails or is cancelled, or
    its process dies, one of them makes it. Nobody waits longer than a run may take.

    Args:
        question: The question.
        context: What is already known.
        config: The run's configuration.
        panel_tools: The caller's own tools.
        instructions: How the answer shall be written.
        owner: Whose part of the cache it is.

    Raises:
        ConfigError: A model or tool is an object, or the documents cannot be read.
        RecursionRefused: The caller is a seat of another run.
    """
    # A seat that asks what its own run asks would wait for itself.
    forbid_nested_run()
    started = time.monotonic()
    key = await asyncio.to_thread(cache_key, question, f"{context}\0{instructions}", config, panel_tools, owner)
    store = response_store(config)
    flight, is_own = join_flight(key)
    while not is_own:
        if (result := await wait_for_flight(key, flight, run_seconds(config))) is not None:
            yield CacheSlot(store, as_cached(result, started))
            return
        flight, is_own = join_flight(key)
    try:
        async with AsyncExitStack() as leading:
            slot = CacheSlot(store, _flight=(key, flight))
            try:
                result = await _read_or_lead(store, key, run_seconds(config), leading)
            except DatabaseUnavailable as error:
                slot.problem, result = _warn(error), None
            if result is not None:
                finish_flight(key, flight, result)
                slot.result = as_cached(result, started)
            yield slot
    finally:
        # Ends only a flight that brought no result: those who wait then try themselves.
        finish_flight(key, flight, None)


async def _read_or_lead(
    store: ResponseStore, key: str, wait_seconds: float, leading: AsyncExitStack
) -> dict[str, Any] | None:
    """Return the stored result; `None` where the caller has to make it, and leads until `leading` is closed."""
    # Looked up only now: a run that ended between an earlier look and the joining of a flight would be made again.
    if (result := _parse(await store.read(key, 0.0))) is not None:
        return result
    started = time.monotonic()
    await leading.enter_async_context(store.lead(key, wait_seconds))
    if (result := _parse(await store.read(key, time.monotonic() - started))) is not None:
        await leading.aclose()
    return result


def _parse(text: str | None) -> dict[str, Any] | None:
    try:
        return None if text is None else FusionResult.model_validate_json(text).model_dump(mode="json")
    except ValueError:  # of another shape, which an unreleased version with the same number may have written
        return None


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
