"""Tools of your own for every seat: any LangChain tool, an MCP server's among them.

Run: python examples/09_own_tools.py   (needs OPENROUTER_API_KEY)
"""

from langchain_core.tools import tool

from fusion_tool import fuse

STOCK = {"kestrel": 14, "heron": 0}


@tool
def stock(product: str) -> str:
    """How many of a product are in the warehouse now."""
    return f"{STOCK.get(product.lower(), 'unknown')} pieces"


# Tools of an MCP server are handed over in the same way:
#   from langchain_mcp_adapters.client import MultiServerMCPClient
#   panel_tools = await MultiServerMCPClient({...}).get_tools()
result = fuse("Can we ship ten Kestrel handhelds today?", "budget", panel_tools=[stock])

print(result.answer)
for response in result.responses:
    print(f"{response.seat}: {response.tool_calls} tool calls")
