"""The MCP server over streamable HTTP.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http. A client that loses
its connection has not cancelled anything; one that ends its session, or says that a request is cancelled, has.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from types import FrameType
from typing import Any

import uvicorn
from anyio import BrokenResourceError, ClosedResourceError
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fusion_tool.servers.auth import AuthMiddleware, check_address
from fusion_tool.servers.capacity import RunSlots, read_body, replay
from fusion_tool.servers.cors import cors_middleware
from fusion_tool.servers.http_protocol import BoundedServer, uvicorn_options
from fusion_tool.servers.keys import ANONYMOUS, Caller, caller_of, check_callers
from fusion_tool.servers.mcp.sdk import log_in_lines
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.models import PANEL
from fusion_tool.servers.openai.response import send_json
from fusion_tool.servers.process import listen, make_room, root_url
from fusion_tool.servers.promises import PromiseKeeper, keep_promises

_log = logging.getLogger(__name__)

PATH = "/mcp"
_NO_SESSION = 404
"""By this status a client learns that its session has ended, and begins another one."""
_SECONDS_TO_END = 3
"""Seconds that answers have to reach their clients when the server is stopped."""
_THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")


class _Endpoint:
    """The protocol's only path, for all methods.

    A class, since Starlette would call a function with a request and send the response that it returns; the package
    sends its responses itself.

    Args:
        servers: The server of each caller, by name: the sessions of another one do not exist for it.
        security: What the package checks of a request's headers.
        keeper: Who finishes the runs that are promised; `None` where none are.
    """

    def __init__(
        self, servers: Mapping[str, McpServer], security: TransportSecuritySettings, keeper: PromiseKeeper | None
    ) -> None:
        self._servers, self._keeper = servers, keeper
        self._sessions = {
            name: StreamableHTTPSessionManager(server.sdk_server, security_settings=security)
            for name, server in servers.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        caller = caller_of(scope)
        try:
            _check_may_ask(caller)
            if scope["method"] == "POST":  # the package would read any number of bytes, for any time
                receive = replay(await read_body(Request(scope, receive)), receive)
        except ApiError as refusal:
            await send_json(send, refusal.body, refusal.status, refusal.headers)
        except ClientDisconnect:
            _log.info("a client has gone before its request was sent")
        else:
            await _handle_whole(self._sessions[caller.name], scope, receive, send)

    @asynccontextmanager
    async def run(self, _: Starlette) -> AsyncIterator[None]:
        """Hold the sessions while the application lives: they outlive the requests that open them."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(keep_promises(self._keeper))
            for sessions in self._sessions.values():
                await stack.enter_async_context(sessions.run())
            try:
                yield
            finally:
                await self.stop_runs()

    async def stop_runs(self) -> None:
        """Cancel the runs of all callers."""
        await asyncio.gather(*(server.runs.stop() for server in self._servers.values()))


async def _handle_whole(sessions: StreamableHTTPSessionManager, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, once, and to its end, which the package fails to do where the server is stopped meanwhile."""
    is_open = is_answered = False

    async def watch(message: Message) -> None:
        nonlocal is_open, is_answered
        if (
            is_answered
        ):  # a message whose session ends while it is taken: the package answers it, fails, and answers that
            _log.info("a second answer to one message is dropped")
            return
        is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))
        is_answered = not is_open
        await send(message)

    try:
        await sessions.handle_request(scope, receive, watch)
    except (ClosedResourceError, BrokenResourceError):
        _log.info("a message came for a session that has ended")
        if not (is_open or is_answered):
            await Response(status_code=_NO_SESSION)(scope, receive, send)
    if is_open:
        await send({"type": "http.response.body", "body": b""})


def _check_may_ask(caller: Caller) -> None:
    if not caller.may_ask(PANEL):
        raise ApiError(f"'{caller.name}' may not ask the panel, '{PANEL}'", status=403, code="forbidden")


def create_app(options: McpOptions, callers: Sequence[Caller] = ()) -> Starlette:
    """Return the application, which any ASGI server takes.

    Args:
        options: The server's options.
        callers: Who holds a key; without any only programs on this machine may connect, and no page in its browsers.
            `Host` and `Origin` are then checked by the package.

    Raises:
        ConfigError: The terms of a caller cannot hold.
    """
    check_callers(callers, options.config)
    slots = RunSlots(options.max_runs)
    keeper = PromiseKeeper([options.config], callers, slots) if options.keep else None
    servers = {
        caller.name: McpServer(options, caller, slots, keeper.terms_of(caller) if keeper else None)
        for caller in callers or (ANONYMOUS,)
    }
    endpoint = _Endpoint(servers, _security(options.origins, is_local=not callers), keeper)
    auth: list[Any] = [Middleware(AuthMiddleware, callers)] if callers else []
    middleware = [*cors_middleware(options.origins), *auth]
    app = Starlette(routes=[Route(PATH, endpoint)], middleware=middleware, lifespan=endpoint.run)
    app.state.endpoint = endpoint
    return app


class _HttpServer(BoundedServer):
    """uvicorn's server, which cancels the runs before it ends at a signal, so that open streams end with an answer."""

    _stopping: "asyncio.Task[None] | None" = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the runs, then the server; at a second signal the server at once."""
        if self._stopping is not None:
            super().handle_exit(sig, frame)
            return
        # Before the signal is seen: the package's event streams watch for it, and would end without an answer.
        loop = asyncio.get_running_loop()
        app: Any = self.config.app
        self._stopping = loop.create_task(app.state.endpoint.stop_runs())
        self._stopping.add_done_callback(lambda _: BoundedServer.handle_exit(self, sig, frame))
        loop.call_soon_threadsafe(lambda: None)  # the loop may be asleep


def serve_http(
    options: McpOptions, host: str, port: int, callers: Sequence[Caller], *, on_listening: Callable[[str], None]
) -> None:
    """Serve until a signal comes.

    Args:
        options: The server's options.
        host: The name or address to listen on.
        port: The port; 0 picks a free one.
        callers: Who holds a key; may be empty where only this machine can connect.
        on_listening: Gets the URL that clients use, once they can connect.

    Raises:
        ConfigError: The server would be open to other machines without keys, the terms of a caller cannot hold, or
            the port is taken.
    """
    check_address(host, callers)
    log_in_lines()
    room = make_room(options.max_runs, [options.config])
    with listen(host, port) as listener:
        config = uvicorn.Config(
            create_app(replace(options, max_runs=room.runs), callers),
            timeout_graceful_shutdown=_SECONDS_TO_END,
            **uvicorn_options(room),
        )
        on_listening(f"{root_url(host, listener)}{PATH}")
        _HttpServer(config).run(sockets=[listener])


def _security(origins: Sequence[str], *, is_local: bool) -> TransportSecuritySettings:
    """Return settings by which, where `is_local`, `Host` and `Origin` must be this machine, or one of `origins`.

    A page can have a browser send requests to loopback, under a name of its own too (DNS rebinding), but knows no key.
    """
    # The package compares whole headers, in which any port but 80 is written out; `:*` stands for all of them.
    hosts = [*_THIS_MACHINE, *(f"{host}:*" for host in _THIS_MACHINE)]
    allowed = [*(f"http://{host}" for host in hosts), *origins]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=is_local, allowed_hosts=hosts, allowed_origins=allowed
    )
