"""One HTTP client an event loop: an asyncio client dies with its loop, so none is shared between two."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

import httpx

_CONNECT_SECONDS = 10.0
"""Only connecting has a timeout here; how long an answer may take is the run's deadline's business."""

_lifetimes: WeakKeyDictionary[asyncio.AbstractEventLoop, "_Lifetime"] = WeakKeyDictionary()


class _Lifetime:
    """What lives as long as one loop: the client, and the chat models built on it."""

    def __init__(self, client: httpx.AsyncClient, holder: AsyncGenerator[httpx.AsyncClient]) -> None:
        self.client, self.holder = client, holder
        self.models: dict[Any, Any] = {}


async def http_client() -> httpx.AsyncClient:
    """The running loop's client. Proxies and CAs come from the environment, as httpx users expect."""
    return (await _lifetime()).client


async def model_cache() -> dict[Any, Any]:
    """The running loop's chat models by what they were built from."""
    return (await _lifetime()).models


async def _lifetime() -> _Lifetime:
    loop = asyncio.get_running_loop()
    known = _lifetimes.get(loop)
    if known is None or known.client.is_closed:
        holder = _open_client()
        known = _lifetimes[loop] = _Lifetime(await anext(holder), holder)
    return known


async def _open_client() -> AsyncGenerator[httpx.AsyncClient]:
    # An asynchronous generator is closed by its loop's shutdown (`asyncio.run` does that), which is the one
    # moment at which a per-loop client can still be closed cleanly.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=200, keepalive_expiry=30)
    async with httpx.AsyncClient(timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS), limits=limits) as client:
        yield client
