"""One run for all who ask the same at once, whatever thread and event loop they wait in."""

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, TypeAlias

Landing: TypeAlias = "Future[dict[str, Any] | None]"
"""What a run returned, or `None`: it failed, or was given up, and the next may try."""

_lock = threading.Lock()
_flights: dict[str, Landing] = {}


def take_off(key: str) -> tuple[Landing, bool]:
    """The flight under `key`, and whether it is the caller's own: then he has to `land` it."""
    with _lock:
        if (flight := _flights.get(key)) is not None:
            return flight, False
        flight = _flights[key] = Future()
        flight.set_running_or_notify_cancel()  # whoever waits may be cancelled, and the flight goes on
        return flight, True


def land(key: str, flight: Landing, result: dict[str, Any] | None) -> None:
    """End a flight, if it has not ended: hand `result` to those who wait, and make room for the next."""
    with _lock:
        if _flights.get(key) is flight:
            del _flights[key]
            flight.set_result(result)


async def landed(key: str, flight: Landing, seconds: float) -> dict[str, Any] | None:
    """What somebody else's flight brings; after `seconds` it is given up: its maker may have stopped listening."""
    try:
        return await asyncio.wait_for(asyncio.wrap_future(flight), seconds)
    except TimeoutError:
        land(key, flight, None)
        return None
