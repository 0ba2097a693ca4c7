"""The transports of the MCP server: standard input and output, `serve_stdio`; streamable HTTP, `serve_http`.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio. Only messages go to standard
output: whatever else writes there, libraries in C and child processes too, is sent to standard error.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http. A client that loses
its connection has not cancelled anything; one that ends its session, or says that a request is cancelled, has.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import Any, TextIO

import anyio
import uvicorn
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from fusion_tool.servers.auth import AuthMiddleware, check_address
from fusion_tool.servers.capacity import RunSlots, read_body, replay
from fusion_tool.servers.cors import cors_middleware
from fusion_tool.servers.http_protocol import uvicorn_options
from fusion_tool.servers.keys import ANONYMOUS, Caller, caller_of, check_callers
from fusion_tool.servers.mcp.sdk import log_in_lines
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.models import PANEL
from fusion_tool.servers.openai.response import send_json
from fusion_tool.servers.process import listen, root_url

_log = logging.getLogger(__name__)


async def serve_stdio(options: McpOptions) -> None:
    """Serve one client until it closes its end, or the caller is cancelled; its runs end with it.

    A client whose call is cut short by the caller is told so before the end.
    """
    log_in_lines()
    server, lines = McpServer(options), _Lines()
    with _protocol_output() as out:
        output = _Output(out)
        serving = asyncio.ensure_future(_serve_lines(server.sdk_server, lines, output))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            output.unanswered.update(server.open_calls)
            await server.runs.stop()
            with suppress(TimeoutError):
                async with asyncio.timeout(_SECONDS_TO_END):
                    await output.wait_until_answered()
            lines.end()
            await serving
            raise
        finally:
            await server.runs.stop()


async def _serve_lines(server: Any, lines: "_Lines", output: "_Output") -> None:
    try:
        async with stdio_server(lines, output) as (incoming, outgoing):  # type: ignore[arg-type]
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* (BrokenPipeError, ConnectionError):  # the package's task group wraps what its tasks raise
        _log.info("the client has gone without closing its end")


@contextmanager
def _protocol_output() -> Iterator[TextIO]:
    """Yield standard output for the protocol; whatever else writes there goes to standard error."""
    # On the level of file descriptors: C libraries and child processes do not know `sys.stdout`.
    own = os.dup(1)
    os.dup2(2, 1)
    stdout, sys.stdout = sys.stdout, sys.stderr
    try:
        yield os.fdopen(own, "w", encoding="utf-8", newline="\n")
    finally:
        sys.stdout = stdout


class _Lines:
    """Standard input, line by line, without a thread that must be waited for.

    The package's own reader holds the process until its client writes one more line, whatever signal has come.
    """

    def __init__(self) -> None:
        self._loop, self._lines = asyncio.get_running_loop(), asyncio.Queue[str | None]()
        # A daemon, since a thread that reads cannot be interrupted: Python waits for any other when it ends.
        Thread(target=self._read, name="stdin", daemon=True).start()

    def end(self) -> None:
        """End the lines, as if the client had closed its end."""
        self._lines.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    def _read(self) -> None:
        put = self._lines.put_nowait
        # `replace`: one line of bytes that are not UTF-8 is one bad message, and not the end of the session.
        with suppress(RuntimeError), open(0, encoding="utf-8", errors="replace", closefd=False) as lines:
            for line in lines:
                self._loop.call_soon_threadsafe(put, line)
            self._loop.call_soon_threadsafe(put, None)  # a `RuntimeError` where the loop has ended first


class _Output:
    """Standard output, which knows whether the last answers are written.

    Args:
        file: The file that the client reads.
    """

    def __init__(self, file: TextIO) -> None:
        self._file, self._is_answered = anyio.wrap_file(file), asyncio.Event()
        self.unanswered = set[str | int]()
        """The ids of the requests whose answers are waited for."""

    async def write(self, line: str) -> None:
        """Write a message to the end."""
        await self._file.write(line)
        await self._file.flush()
        if self.unanswered:
            self.unanswered.discard(json.loads(line).get("id"))
            self._is_answered.set()

    async def flush(self) -> None:
        """Do nothing: what is written has been sent."""

    async def wait_until_answered(self) -> None:
        """Wait until the answers to `unanswered` are written."""
        while self.unanswered:
            self._is_answered.clear()
            await self._is_answered.wait()


PATH = "/mcp"
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
    """

    def __init__(self, servers: Mapping[str, McpServer], security: TransportSecuritySettings) -> None:
        self._servers = servers
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
    """Answer a request; a stream that the package leaves without an end, where the server is stopped, gets one."""
    is_open = False

    async def watch(message: Message) -> None:
        nonlocal is_open
        is_open = message["type"] == "http.response.start" or bool(message.get("more_body"))
        await send(message)

    await sessions.handle_request(scope, receive, watch)
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
    endpoint = _Endpoint(
        {caller.name: McpServer(options, caller, slots) for caller in callers or (ANONYMOUS,)},
        _security(options.origins, is_local=not callers),
    )
    auth: list[Any] = [Middleware(AuthMiddleware, callers)] if callers else []
    middleware = [*cors_middleware(options.origins), *auth]
    app = Starlette(routes=[Route(PATH, endpoint)], middleware=middleware, lifespan=endpoint.run)
    app.state.endpoint = endpoint
    return app


class _HttpServer(uvicorn.Server):
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
        self._stopping.add_done_callback(lambda _: uvicorn.Server.handle_exit(self, sig, frame))
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
    with listen(host, port) as listener:
        config = uvicorn.Config(
            create_app(options, callers),
            timeout_graceful_shutdown=_SECONDS_TO_END,
            **uvicorn_options(options.max_runs),
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
