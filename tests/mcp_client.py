"""The protocol's own client, the same for both majors of its package: what it gets has the protocol's names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio
import pytest
from mcp import ClientSession, types
from mcp.shared import exceptions
from mcp.shared.memory import create_client_server_memory_streams

from fusion_tool.servers.mcp.server import McpOptions, McpServer

TOOL = "fusion_research"
IS_FIRST_MAJOR = version("mcp").startswith("1.")
ProtocolError: Any = vars(exceptions)["McpError" if IS_FIRST_MAJOR else "MCPError"]


class McpClient:
    """A client whose results are dicts with the protocol's own names."""

    def __init__(self, session: ClientSession) -> None:
        self.session: Any = session

    async def tools(self) -> list[dict[str, Any]]:
        return self._plain(await self.session.list_tools())["tools"]

    async def call(self, arguments: dict[str, Any], name: str = TOOL, **options: Any) -> dict[str, Any]:
        return self._plain(await self.session.call_tool(name, arguments, **options))

    async def resources(self) -> list[dict[str, Any]]:
        return self._plain(await self.session.list_resources())["resources"]

    async def templates(self) -> list[dict[str, Any]]:
        return self._plain(await self.session.list_resource_templates())["resourceTemplates"]

    async def read(self, uri: str) -> dict[str, Any]:
        (content,) = self._plain(await self.session.read_resource(uri))["contents"]
        return content

    async def cancel(self, call: "asyncio.Task[Any]") -> None:
        """Say that the last call is cancelled, and see it end."""
        if not IS_FIRST_MAJOR:  # which says so itself
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            return
        params = types.CancelledNotificationParams(requestId=self.session._request_id - 1)
        cancelled: Any = types.ClientNotification(types.CancelledNotification(params=params))
        await self.session.send_notification(cancelled)
        with pytest.raises(ProtocolError, match="cancelled"):
            await call

    @staticmethod
    def _plain(result: Any) -> dict[str, Any]:
        return result.model_dump(by_alias=True, mode="json")


def text(result: dict[str, Any]) -> str:
    """The text of a call's result."""
    (content,) = result["content"]
    return content["text"]


@asynccontextmanager
async def connected(server: McpServer) -> AsyncIterator[McpClient]:
    """A client of `server`, without a transport."""
    async with (
        create_client_server_memory_streams() as (client_streams, server_streams),
        anyio.create_task_group() as group,
    ):
        options = server.sdk_server.create_initialization_options()
        group.start_soon(server.sdk_server.run, *server_streams, options)
        try:
            async with ClientSession(*client_streams) as session:
                await session.initialize()
                yield McpClient(session)
        finally:
            group.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await server.runs.stop()


def new_server(config: Any, **options: Any) -> McpServer:
    return McpServer(McpOptions(config, **options))
