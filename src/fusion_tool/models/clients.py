"""One HTTP client for each event loop: an asyncio client dies with its loop, so two loops cannot share one."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

import httpx2

from fusion_tool.config.network import LOCAL_MOUNTS

_CONNECT_SECONDS = 10.0
"""Only connecting has a timeout here; how long an answer may take is decided by the run's deadline."""
_POOL = 32
"""Connections of one pool. For each request a pool looks at all its connections: with 300 calls in flight, a single
pool took a third of a run's CPU."""
_UNKNOWN_FILES = 2048
"""Taken for the limit of open files where the system tells none."""

_resources: WeakKeyDictionary[asyncio.AbstractEventLoop, "_LoopResources"] = WeakKeyDictionary()


class PooledClient(httpx2.AsyncClient):
    """A client that spreads its requests over as many connection pools as are needed.

    Where every connection is busy, requests wait. Proxies and CAs come from the environment, as in any client.

    Args:
        connections: Connections that may be open at once, over all pools.
    """

    def __init__(self, *, connections: int) -> None:
        self._options: dict[str, Any] = {
            "timeout": httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=_POOL, keepalive_expiry=30),
            "verify": httpx2.create_ssl_context(),  # made once: reading the CAs takes some 60 ms
            "mounts": LOCAL_MOUNTS,
        }
        super().__init__(**self._options)
        self._room = asyncio.Semaphore(connections)
        self._pools: list[httpx2.AsyncClient] = []
        self._busy: list[int] = []
        self._opened = AsyncExitStack()

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send as `httpx2.AsyncClient.send` does; a streamed response counts as busy until its headers are here."""
        async with self._room:
            # The first pool with room, not the least busy one: few calls at a time keep the same warm connections.
            pool = next((i for i, busy in enumerate(self._busy) if busy < _POOL), len(self._busy))
            if pool == len(self._busy):
                self._pools.append(httpx2.AsyncClient(**self._options))
                self._opened.push_async_callback(self._pools[pool].aclose)
                self._busy.append(0)
            self._busy[pool] += 1
            try:
                return await self._pools[pool].send(request, **options)
            finally:
                self._busy[pool] -= 1

    async def aclose(self) -> None:
        """Close all pools and the client."""
        await self._opened.aclose()
        await super().aclose()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        # httpx's own `__aexit__` does not call `aclose`, so that the pools have to be closed here, too.
        await self._opened.aclose()
        await super().__aexit__(exc_type, exc_value, traceback)


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
    client = PooledClient(connections=_max_files() // 2)
    try:
        yield client
    finally:
        await client.aclose()


def _max_files() -> int:
    """Return how many files, sockets among them, this process may have open."""
    try:
        import resource
    except ImportError:  # Windows
        return _UNKNOWN_FILES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _UNKNOWN_FILES if soft == resource.RLIM_INFINITY else soft
