"""The bounds of what a server takes at once: the bytes of a request, and the number of runs."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.types import Message, Receive

from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.shared_places import SharedPlaces

MOST_BYTES = 2_000_000
_MOST_DISCARDED = 32_000_000
"""How many bytes of a request that is too large are read all the same, so that its client sees the refusal."""
_SECONDS_TO_SEND = 30.0


class RunSlots:
    """Places for the runs of one process.

    Args:
        max_runs: How many runs there may be at once.
        shared: Places of which each run takes one as well, where several processes have a bound together.
    """

    def __init__(self, max_runs: int, shared: SharedPlaces | None = None) -> None:
        self._max_runs, self._shared, self._in_use = max_runs, shared, 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Hold a place while the context is open.

        Raises:
            ApiError: 429; all are taken.
        """
        # No semaphore, which would make clients queue: a run takes minutes, and they would rather go elsewhere.
        place = self._take()
        try:
            yield
        finally:
            self._in_use -= 1
            if self._shared is not None:
                self._shared.free(place)
            if not self._in_use:
                self._empty.set()

    def _take(self) -> int:
        place = None
        if self._in_use < self._max_runs:
            place = self._in_use if self._shared is None else self._shared.take()
        if place is None:
            raise ApiError(
                f"all {self._max_runs} places for runs are taken; ask again in some seconds",
                status=429,
                code="rate_limit_exceeded",
                # Kept open, the connections of those who wait would take the files that runs need.
                headers={"Connection": "close"},
            )
        self._in_use += 1
        self._empty.clear()
        return place

    async def wait_until_empty(self) -> None:
        """Wait until nobody holds a place."""
        await self._empty.wait()


async def json_body(request: Request, max_bytes: int = MOST_BYTES) -> dict[str, Any]:
    """Read the JSON object that a client sends.

    Args:
        request: The request.
        max_bytes: Upper bound of the body, in bytes.

    Raises:
        ApiError: 413 more than `max_bytes` bytes, 408 too slowly, 400 no JSON object.
        ClientDisconnect: The client left.
    """
    raw = await read_body(request, max_bytes)
    try:
        body = json.loads(raw, parse_constant=_refuse)
        if b"\\ud" in raw.lower():  # halves of characters, which no provider takes
            body = json.loads(json.dumps(body, ensure_ascii=False).encode(errors="replace"))
    except (ValueError, RecursionError):  # the latter for a body of nothing but opening brackets
        raise ApiError("the body is not valid JSON", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError("the body must be a JSON object", code="invalid_json")
    return body


async def read_body(request: Request, max_bytes: int = MOST_BYTES) -> bytes:
    """Read a request's body; arguments and errors as for `json_body`."""
    try:
        # A client that sends a byte now and then would hold its connection for ever.
        async with asyncio.timeout(_SECONDS_TO_SEND):
            return await _read(request, max_bytes)
    except TimeoutError:
        raise ApiError("the request took too long to arrive", status=408, code="timeout") from None


def replay(body: bytes, receive: Receive) -> Receive:
    """Return ASGI's function as it was before the body was read from `receive`."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again


def _refuse(name: str) -> None:
    """Refuse `NaN` and `Infinity`, which Python takes for JSON and no provider does."""
    raise ValueError(name)


async def _read(request: Request, max_bytes: int) -> bytes:
    parts, size = list[bytes](), 0
    async for part in request.stream():
        size += len(part)
        # Nothing above the bound is stored, but it is read on: a client that still sends sees no response.
        if size <= max_bytes:
            parts.append(part)
        elif size > _MOST_DISCARDED:
            break
    if size > max_bytes:
        message = f"the body has more than {max_bytes:,} bytes"
        # Closed, or what is still on its way would be read as the next request of this connection.
        raise ApiError(message, status=413, code="request_too_large", headers={"Connection": "close"})
    return b"".join(parts)
