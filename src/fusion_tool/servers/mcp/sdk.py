"""The official package behind one face for its two majors: handlers, what a request says, errors, its log.

Its second major hands each handler its context, keeps no session's own state, and names fields in snake case; what is
made by the protocol's own names, it takes as the first one does.
"""

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

import anyio
from mcp import types
from mcp.server.lowlevel import Server
from mcp.shared import exceptions
from starlette.requests import Request

from fusion_tool.events import plain_line

SendProgress: TypeAlias = Callable[[float, str], Awaitable[None]]
"""A function that sends how far a run is: the number of the step, which grows, and a line about it."""

_IS_FIRST_MAJOR = version("mcp").startswith("1.")


@dataclass(frozen=True)
class ClientRequest:
    """What a request says beside its parameters.

    Args:
        id: Its id, which its client chose.
        meta: Its `_meta`.
        http: The HTTP request that brought it; `None` over standard input and output.
        send_progress: Sends the progress to the client; `None` where it asked for none.
    """

    id: str | int
    meta: Mapping[str, Any]
    http: Request | None
    send_progress: SendProgress | None

    @property
    def session_id(self) -> str | None:
        """The session's id; `None` over standard input and output, and for clients that keep no session."""
        return None if self.http is None else self.http.headers.get("mcp-session-id")


Handler: TypeAlias = Callable[[ClientRequest, Any], Awaitable[Any]]
"""A function that gets a request and its parameters, and returns the protocol's result."""


def create_sdk_server(name: str, instructions: str, own_version: str, handlers: Mapping[str, Handler]) -> Any:
    """Return the package's low-level server, which any of its transports takes.

    Args:
        name: The server's name.
        instructions: What its client's model is told about it.
        own_version: The server's version.
        handlers: By method, as in `tools/call`.
    """
    if _IS_FIRST_MAJOR:
        server: Any = Server(name, own_version, instructions)
        for method, handler in handlers.items():
            server.request_handlers[_METHODS[method][0]] = _first_major_handler(server, handler)
        return server
    server = Server(name, version=own_version, instructions=instructions)
    for method, handler in handlers.items():
        server.add_request_handler(method, _METHODS[method][1], _second_major_handler(handler))
    return server


_METHODS: dict[str, tuple[Any, Any]] = {
    "tools/list": (types.ListToolsRequest, types.PaginatedRequestParams),
    "tools/call": (types.CallToolRequest, types.CallToolRequestParams),
    "resources/list": (types.ListResourcesRequest, types.PaginatedRequestParams),
    "resources/templates/list": (types.ListResourceTemplatesRequest, types.PaginatedRequestParams),
    "resources/read": (types.ReadResourceRequest, types.ReadResourceRequestParams),
}
"""By method, the requests, which the first major knows them by, and their parameters, which the second reads."""


def _first_major_handler(server: Any, handler: Handler) -> Callable[[Any], Awaitable[Any]]:
    async def handle(request: Any) -> Any:
        return types.ServerResult(await handler(_client_request(server.request_context), request.params))

    return handle


def _second_major_handler(handler: Handler) -> Callable[[Any, Any], Awaitable[Any]]:
    async def handle(context: Any, params: Any) -> Any:
        return await handler(_client_request(context), params)

    return handle


def _client_request(context: Any) -> ClientRequest:
    meta = context.meta if isinstance(context.meta, Mapping) else context.meta.model_dump() if context.meta else {}
    # The protocol forbids notifications of progress without a token of the client's.
    token = meta.get("progressToken", meta.get("progress_token"))

    async def send_progress(step: float, line: str) -> None:
        # The request's id leads it, over HTTP, into the stream of this call; a client need not open another one.
        await context.session.send_progress_notification(
            token, step, message=line, related_request_id=str(context.request_id)
        )

    return ClientRequest(context.request_id, meta, context.request, None if token is None else send_progress)


def protocol_error(code: int, message: str, data: Any = None) -> Exception:
    """Return the error that answers a request as the protocol's own error, to be raised in a handler."""
    if _IS_FIRST_MAJOR:
        return exceptions.McpError(types.ErrorData(code=code, message=message, data=data))
    error: Any = vars(exceptions)["MCPError"]
    made: Exception = error(code, message, data)
    return made


class _LineHandler(logging.Handler):
    """The handler that prints what a log says as one line, and leaves out what a client has been told."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _is_clients_affair(record):
            error = record.exc_info[1] if record.exc_info else None
            cause = f" ({type(error).__name__}: {error})" if error else ""
            sys.stderr.write(f"{record.levelname.lower()}: {plain_line(record.getMessage() + cause)}\n")


def _is_clients_affair(record: logging.LogRecord) -> bool:
    # The first major logs messages that it does not know by the root logger, each as a page of pydantic's complaints;
    # and a stream that its client has closed as an error.
    if record.name != "root" and not record.name.startswith("mcp."):
        return record.levelno < logging.WARNING
    error = record.exc_info[1] if record.exc_info else None
    return record.levelno < logging.ERROR or isinstance(error, (anyio.ClosedResourceError, anyio.BrokenResourceError))


def log_in_lines() -> None:
    """Print what libraries log to standard error, a line each; for a process that is a server and nothing else.

    A newer client asks for methods that an older package does not know, and gets an answer that says so; that is
    nothing for the operator.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(_LineHandler())
