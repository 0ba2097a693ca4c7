"""The HTTP client of models: aiohttp behind httpx2's interface, whose errors say what has happened.

httpx2's own connection pool takes four times the processor time for a call, and the layers of its client (redirects,
authentication, cookies: no model's API has them) a third of the rest (benchmarks/ladder.py).
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable
from functools import cache, lru_cache
from typing import Any, TypeAlias
from urllib.request import getproxies

import aiohttp
import httpx2

from fusion_tool.config.network import LOCAL_MOUNTS, model_proxy

Headers: TypeAlias = list[tuple[str, str]]

_CONNECT_SECONDS = 10.0
"""Only connecting has a timeout here; how long an answer may take is decided by the run's deadline."""
_IDLE_SECONDS = 30.0
"""How long a connection is kept that nobody uses."""
_ERRORS: tuple[tuple[type[aiohttp.ClientError], type[httpx2.TransportError]], ...] = (
    (aiohttp.ClientProxyConnectionError, httpx2.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx2.ProxyError),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ServerDisconnectedError, httpx2.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx2.RemoteProtocolError),  # what came is no HTTP
    (aiohttp.InvalidURL, httpx2.UnsupportedProtocol),
    (aiohttp.ClientError, httpx2.ReadError),  # any other: the connection stood
)
"""What aiohttp's errors are in httpx2's words, the first that fits."""


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Requests over one session of aiohttp.

    Args:
        busy: Requests that may wait for their reply at once, a streamed one for its headers; others wait their turn.
        authorities: Whose certificates are believed.
    """

    def __init__(self, busy: int, authorities: ssl.SSLContext) -> None:
        self._room = asyncio.Semaphore(busy)
        self._session = aiohttp.ClientSession(
            # 0 is aiohttp's word for no limit.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_SECONDS, ssl=authorities),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # httpx2's response does that
            # `connect` is all of it: finding the address and TLS, too.
            timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS),
        )
        self._proxy = lru_cache(maxsize=64)(model_proxy)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request, and return its response, whose body is still to be read."""
        return await self.send(request, stream=True)

    async def send(self, request: httpx2.Request, *, stream: bool) -> httpx2.Response:
        """Send a request, and return its response, with its body unless that is to be streamed."""
        limits = request.extensions.get("timeout", {})
        timeout = aiohttp.ClientTimeout(total=None, connect=limits.get("connect"), sock_read=limits.get("read"))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        url = str(request.url)
        response = await self.exchange(
            request.method, url, headers, request.content or None, stream=stream, timeout=timeout
        )
        response.request = request
        return response

    async def exchange(
        self, method: str, url: str, headers: Headers, body: bytes | None, *, stream: bool, **options: Any
    ) -> httpx2.Response:
        """Send what a request would hold, of which a waiting call then keeps none: each is 14 objects to the collector.

        Args:
            method: As in the request line.
            url: The whole address.
            headers: All of them but the length.
            body: What is sent.
            stream: Whether the response's body is still to be read.
            options: Others of aiohttp's `ClientSession.request`.

        Raises:
            httpx2.TransportError: There was no response, or it broke off.
        """
        if not url.startswith(("http://", "https://")):
            message = "Request URL is missing an 'http://' or 'https://' protocol."
            raise httpx2.UnsupportedProtocol(message, request=httpx2.Request(method, url))
        options |= {"headers": headers, "data": body, "proxy": self._proxy(url), "allow_redirects": False}
        try:
            async with self._room:
                reply = await self._session.request(method, url, **options)
                content = None if stream else await reply.read()
        except aiohttp.ClientError as error:
            raise _httpx_error(error, method, url) from error
        if content is None:
            return httpx2.Response(reply.status, headers=reply.raw_headers, stream=_Body(reply, method, url))
        return httpx2.Response(reply.status, headers=reply.raw_headers, content=content)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()


class _Body(httpx2.AsyncByteStream):
    """A response's body as it comes; closed before its end it takes its connection along."""

    def __init__(self, reply: aiohttp.ClientResponse, method: str, url: str) -> None:
        self._reply, self._method, self._url = reply, method, url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._reply.content.iter_any():
                yield piece
        except aiohttp.ClientError as error:
            raise _httpx_error(error, self._method, self._url) from error

    async def aclose(self) -> None:
        self._reply.close()


class AiohttpClient(httpx2.AsyncClient):
    """A client with as many connections as are needed; it follows no redirects.

    Args:
        transport: Makes the requests.
    """

    def __init__(self, transport: AiohttpTransport) -> None:
        super().__init__(timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS), transport=transport)
        self.transport = transport

    async def send(self, request: httpx2.Request, *, stream: bool = False, **_: Any) -> httpx2.Response:
        """Send as `httpx2.AsyncClient.send` does."""
        return await self.transport.send(request, stream=stream)


def post_body(
    client: httpx2.AsyncClient, url: str, headers: Headers, body: bytes, *, stream: bool
) -> Awaitable[httpx2.Response]:
    """Post `body` by any client; by one of aiohttp without a request, which the response has none of then.

    Args:
        client: The client.
        url: The whole address.
        headers: All of them but the length, the client's own among them.
        body: What is posted.
        stream: Whether the response's body is still to be read.

    Raises:
        httpx2.TransportError: There was no response, or it broke off.
    """
    if isinstance(client, AiohttpClient):
        return client.transport.exchange("POST", url, headers, body, stream=stream)
    return client.send(client.build_request("POST", url, headers=headers, content=body), stream=stream)


def make_client(*, busy: int) -> httpx2.AsyncClient:
    """Return a client of models; proxies and CAs come from the environment, as in any client.

    Args:
        busy: Requests that may wait for their reply at once.
    """
    authorities = _read_authorities(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    # aiohttp takes no SOCKS proxies; httpx2 does with an extra of its own, and says so where that is missing.
    if any(address.startswith("socks") for address in getproxies().values()):
        timeout, limits = httpx2.Timeout(None, connect=_CONNECT_SECONDS), httpx2.Limits(max_connections=busy)
        return httpx2.AsyncClient(timeout=timeout, limits=limits, verify=authorities, mounts=LOCAL_MOUNTS)
    return AiohttpClient(AiohttpTransport(busy, authorities))


@cache
def _read_authorities(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    # Once for all transports and loops: it takes some 60 ms, for which the loop stands still.
    return httpx2.create_ssl_context()


@cache
def unused_client() -> httpx2.Client:
    """Return a synchronous client that sends nothing: without one LangChain makes its own, and reads the CAs for it."""
    return httpx2.Client(transport=httpx2.BaseTransport(), trust_env=False)


def _httpx_error(error: aiohttp.ClientError, method: str, url: str) -> httpx2.TransportError:
    kind = next(ours for theirs, ours in _ERRORS if isinstance(error, theirs))
    return kind(str(error), request=httpx2.Request(method, url))
