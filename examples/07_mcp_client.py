"""The panel as an MCP server, from a client that starts it: progress, the short text, the whole result.

Run: python examples/07_mcp_client.py [PRESET]   (needs OPENROUTER_API_KEY; `local` needs no key)
"""

import asyncio
import os
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def show(progress: float, total: float | None, message: str | None) -> None:
    """Print what the panel does."""
    del total  # how much is to come nobody knows
    print(f"{progress:3.0f}  {message}")


async def main(preset: str) -> None:
    """Ask one question."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "fusion_tool", "mcp", "--preset", preset], env=dict(os.environ)
    )
    async with stdio_client(server) as (incoming, outgoing), ClientSession(incoming, outgoing) as client:
        await client.initialize()
        question = {"question": "Which licence lets a company close a fork: MIT, MPL 2.0 or AGPL?", "max_seconds": 120}
        answer = await client.call_tool("fusion_research", question, progress_callback=show)
        # By the protocol's own names, which both majors of the SDK give.
        result = answer.model_dump(by_alias=True)
        for content in result["content"]:
            print(content.get("text", content["type"]))
        for response in (result["structuredContent"] or {}).get("responses", []):
            print(f"{response['seat']} took {response['seconds']} s")


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "budget"))
