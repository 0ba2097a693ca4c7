"""The MCP server, independent of its transport.

The protocol is the official package's, by its low-level `Server`: `FastMCP` has a fixed list of resources, and its
errors have several lines.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.helper_types import ReadResourceContents
from pydantic import AnyUrl

from fusion_tool.api.summary import summarize
from fusion_tool.config.installation import version
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import FusionError
from fusion_tool.graph.result import FusionResult
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.mcp.resources import TEMPLATE, ResultResources
from fusion_tool.servers.mcp.tool import (
    NAME,
    SendProgress,
    parse_arguments,
    refuse_recursion,
    run_research,
    shielded,
    tool_definition,
)
from fusion_tool.servers.openai.errors import to_api_error

_INSTRUCTIONS = (
    "fusion_research hands a question over to a panel of models that search, read and compare, and gives back one "
    "answer with checked citations. Whole results stay readable at fusion://results for this session."
)


@dataclass(frozen=True)
class McpOptions:
    """The options of an MCP server.

    Args:
        config: The panel; its rules hold for every call.
        max_runs: Calls that are worked on at once; more get an error.
        is_structured: Whether a result comes as JSON beside the text.
    """

    config: FusionConfig
    max_runs: int = 10
    is_structured: bool = True


class McpToolError(Exception):
    """The failure of a call, whose text becomes the call's result."""


def create_server(options: McpOptions) -> "Server[ResultResources, Any]":
    """Return the server, which any of the protocol's transports takes.

    Each session has its own results.
    """
    server: Any = Server("fusion-tool", version(), _INSTRUCTIONS, lifespan=_session)  # its decorators have no types
    slots = RunSlots(options.max_runs)

    def results() -> ResultResources:
        # The package enters the lifespan once for each session, so that what it yields is the session's own.
        return cast("ResultResources", server.request_context.lifespan_context)

    async def tools() -> list[types.Tool]:
        return [tool_definition(is_structured=options.is_structured)]

    async def call(name: str, arguments: dict[str, Any]) -> Any:
        request = server.request_context
        try:
            _reject_unknown_tool(name)
            refuse_recursion(request.meta.model_dump() if request.meta else {})
            call_arguments = parse_arguments(arguments)
            config = call_arguments.config_for(options.config)
            with slots.acquire():
                result = await shielded(run_research(call_arguments, config, _progress_sender(request)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told in one line
            # The package makes its text the result, with `isError` set: a model reads that, and no protocol error.
            raise McpToolError(to_api_error(error).message) from None
        results().add(result)
        text = summarize(FusionResult.model_validate(result), config.summary_tokens)
        content = [types.TextContent(type="text", text=text)]
        return (content, result) if options.is_structured else content

    async def resources() -> list[types.Resource]:
        return results().list_resources()

    async def templates() -> list[types.ResourceTemplate]:
        return [TEMPLATE]

    async def read(uri: AnyUrl) -> list[ReadResourceContents]:
        return results().read(uri)

    server.list_tools()(tools)
    server.call_tool(validate_input=False)(call)  # `parse_arguments` does, with an error in one line
    server.list_resources()(resources)
    server.list_resource_templates()(templates)
    server.read_resource()(read)
    return cast("Server[ResultResources, Any]", server)


@asynccontextmanager
async def _session(_: "Server[ResultResources, Any]") -> AsyncIterator[ResultResources]:
    yield ResultResources()


def _reject_unknown_tool(name: str) -> None:
    if name != NAME:
        raise FusionError(f"no tool '{name}'; there is {NAME}")


def _progress_sender(request: Any) -> SendProgress | None:
    """Return the function that sends progress to the client; `None` where it did not ask for any."""
    # The protocol forbids notifications of progress without a token of the client's.
    token = request.meta.progressToken if request.meta else None
    if token is None:
        return None

    async def send_progress(step: float, line: str) -> None:
        # The request's id leads it, over HTTP, into the stream of this call; a client need not open another one.
        await request.session.send_progress_notification(
            token, step, message=line, related_request_id=str(request.request_id)
        )

    return send_progress
