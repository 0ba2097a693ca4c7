"""One HTTP client for each event loop: an asyncio client dies with its loop, so two loops cannot share one."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from weakref import WeakKeyDictionary

import httpx2

from fusion_tool.config.system import file_limit
from fusion_tool.models.http import make_client

_UNKNOWN_FILES = 2048
"""Taken for the limit of open files where the system tells none."""

_resources: WeakKeyDictionary[asyncio.AbstractEventLoop, "_LoopResources"] = WeakKeyDictionary()


class _LoopResources:
    """The resources that live as long as one loop: the client, and the chat models built on it."""

    def __init__(self, client: httpx2.AsyncClient, holder: AsyncGenerator[httpx2.AsyncClient]) -> None:
        # The generator is held, though nobody reads it: collected, it would close the client under its users.
        self.client, self.holder = client, holder
        self.models: dict[Any, Any] = {}
        self.locks: dict[str, asyncio.Lock] = {}


async def http_client() -> httpx2.AsyncClient:
    """Return the running loop's client."""
    return (await _loop_resources()).client


async def model_cache() -> dict[Any, Any]:
    """Return the running loop's chat models, by what they were built from."""
    return (await _loop_resources()).models


async def named_lock(name: str) -> asyncio.Lock:
    """Return the running loop's lock of that name."""
    return (await _loop_resources()).locks.setdefault(name, asyncio.Lock())


async def _loop_resources() -> _LoopResources:
    loop = asyncio.get_running_loop()
    resources = _resources.get(loop)
    if resources is None or resources.client.is_closed:
        holder = _open_client()
        resources = _resources[loop] = _LoopResources(await anext(holder), holder)
    return resources


async def _open_client() -> AsyncGenerator[httpx2.AsyncClient]:
    # An asynchronous generator is closed by its loop's shutdown (`asyncio.run` does that), which is the one
    # moment at which a per-loop client can still be closed cleanly.
    # Half of the files: the other half is for databases, pages that are fetched, and the program around us.
    client = make_client(busy=(file_limit() or _UNKNOWN_FILES) // 2)
    try:
        yield client
    finally:
        await client.aclose()
