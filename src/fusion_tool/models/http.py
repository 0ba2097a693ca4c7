"""The HTTP client of models: aiohttp behind httpx2's interface, whose errors say what has happened.

httpx2's own connection pool takes four times the processor time for a call (benchmarks/ladder.py).
"""

import asyncio
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.request import getproxies

import aiohttp
import httpx2
from httpx_aiohttp.httpx2 import Httpx2AiohttpClient

from fusion_tool.config.network import LOCAL_MOUNTS

_CONNECT_SECONDS = 10.0
"""Only connecting has a timeout here; how long an answer may take is decided by the run's deadline."""
_ERRORS: tuple[tuple[type[aiohttp.ClientError], type[httpx2.TransportError]], ...] = (
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),  # what came is no HTTP
    (aiohttp.ClientConnectionError, httpx2.ReadError),  # any other: the connection stood
)
"""What aiohttp's errors are in httpx2's words, the first that fits; the adapter calls nearly all `ConnectTimeout`."""


class AiohttpClient(Httpx2AiohttpClient):
    """A client with as many connections as are needed.

    Args:
        busy: Requests that may wait for their reply at once, a streamed one for its headers; others wait their turn.
        options: As `httpx2.AsyncClient` takes them.
    """

    def __init__(self, *, busy: int, **options: Any) -> None:
        super().__init__(
            # aiohttp's `connect`, which is called `pool` here, is all of it: finding the address and TLS, too.
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS, pool=_CONNECT_SECONDS),
            limits=httpx2.Limits(max_connections=0, keepalive_expiry=30),  # 0 is aiohttp's word for no limit
            **options,
        )
        self._room = asyncio.Semaphore(busy)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send as `httpx2.AsyncClient.send` does."""
        if request.url.scheme not in ("http", "https"):
            raise httpx2.UnsupportedProtocol(
                "Request URL is missing an 'http://' or 'https://' protocol.", request=request
            )
        async with self._room:
            with _httpx_errors(request):
                return await super().send(request, **options)


def make_client(*, busy: int) -> httpx2.AsyncClient:
    """Return a client of models; proxies and CAs come from the environment, as in any client.

    Args:
        busy: Requests that may wait for their reply at once.
    """
    options: dict[str, Any] = {
        "verify": _read_authorities(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")),
        "mounts": LOCAL_MOUNTS,
    }
    # aiohttp takes no SOCKS proxies; httpx2 does with an extra of its own, and says so where that is missing.
    if any(address.startswith("socks") for address in getproxies().values()):
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)
        return httpx2.AsyncClient(timeout=timeout, limits=httpx2.Limits(max_connections=busy), **options)
    return AiohttpClient(busy=busy, **options)


@cache
def _read_authorities(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    # Once for all transports and loops: it takes some 60 ms, for which the loop stands still.
    return httpx2.create_ssl_context()


@cache
def unused_client() -> httpx2.Client:
    """Return a synchronous client that sends nothing: without one LangChain makes its own, and reads the CAs for it."""
    return httpx2.Client(transport=httpx2.BaseTransport(), trust_env=False)


@contextmanager
def _httpx_errors(request: httpx2.Request) -> Iterator[None]:
    try:
        yield
    except (httpx2.ConnectTimeout, aiohttp.ClientError) as error:
        root = error if isinstance(error, aiohttp.ClientError) else error.__cause__
        kind = next((ours for theirs, ours in _ERRORS if isinstance(root, theirs)), None)
        if kind is None:
            raise
        raise kind(str(root), request=request) from root
