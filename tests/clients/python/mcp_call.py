"""Call the tool with the MCP SDK: mcp_call.py URL ARGUMENTS, or mcp_call.py PROGRAM ARGUMENTS PROGRAM_ARGUMENT..."""

import asyncio
import json
import sys

from mcp import Client, MCPError, StdioServerParameters, stdio_client

LINES = []


async def hear(progress: float, total: float | None, message: str | None) -> None:
    LINES.append([progress, total, message])


async def main(target: str, arguments: str, *more: str) -> None:
    server = target if target.startswith("http") else stdio_client(StdioServerParameters(command=target, args=more))
    async with Client(server) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        try:
            result = await client.call_tool("fusion_research", json.loads(arguments), progress_callback=hear)
            outcome = {"isError": bool(result.is_error), "text": result.content[0].text}
        except MCPError as error:
            outcome = {"isError": True, "text": str(error)}
    print(json.dumps({"tools": tools, "lines": LINES, **outcome}))


asyncio.run(main(*sys.argv[1:]))
