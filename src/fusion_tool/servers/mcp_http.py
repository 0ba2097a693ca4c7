"""MCP over streamable HTTP, at `/mcp`.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http. A client that loses
its connection has not cancelled anything; one that ends its session, or says that a request is cancelled, has.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from fusion_tool.servers.auth import Guard, check_address
from fusion_tool.servers.listening import QUIET, listen, root_url
from fusion_tool.servers.mcp_server import Options, create_server

PATH = "/mcp"
_SECONDS_TO_END = 3
"""How long streams that are open when the server is stopped may still take; its runs are cancelled then."""
_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


class _Endpoint:
    """The protocol's one address."""

    def __init__(self, sessions: StreamableHTTPSessionManager) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._sessions.handle_request(scope, receive, send)


def create_app(options: Options, keys: Sequence[str] = ()) -> Starlette:
    """The application; any ASGI server takes it.

    Args:
        options: What is served.
        keys: Bearer keys; without any only programs on this machine may ask, and no page in its browsers.
    """
    sessions = StreamableHTTPSessionManager(create_server(options), security_settings=_security(keys))

    @asynccontextmanager
    async def running(_: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            yield

    guard: list[Any] = [Middleware(Guard, keys)] if keys else []
    return Starlette(routes=[Route(PATH, _Endpoint(sessions))], middleware=guard, lifespan=running)


def serve_http(
    options: Options, host: str, port: int, keys: Sequence[str], *, on_listening: Callable[[str], None]
) -> None:
    """Serve until a signal comes.

    Args:
        options: What is served.
        host: Where to listen.
        port: Likewise; 0 picks a free one.
        keys: Bearer keys.
        on_listening: Gets the URL that clients take, once they can connect.

    Raises:
        ConfigError: It would be open to other machines without keys, or the port is taken.
    """
    check_address(host, keys)
    with listen(host, port) as listener:
        config = uvicorn.Config(
            create_app(options, keys),
            timeout_graceful_shutdown=_SECONDS_TO_END,
            **QUIET,
        )
        on_listening(f"{root_url(host, listener)}{PATH}")
        uvicorn.Server(config).run(sockets=[listener])


def _security(keys: Sequence[str]) -> TransportSecuritySettings:
    """Without keys `Host` and `Origin` must be this machine.

    A page can have a browser send requests to loopback, under a name of its own too (DNS rebinding), but knows no key.
    """
    hosts = [*_THIS_MACHINE, *(f"{host}:*" for host in _THIS_MACHINE)]
    origins = [f"http://{host}" for host in hosts]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=not keys, allowed_hosts=hosts, allowed_origins=origins
    )
