"""An MCP server over stdio, as a caller brings one along."""

from mcp.server.fastmcp import FastMCP

server = FastMCP("mill")


@server.tool()
def archive(year: int) -> str:
    """Look a year up in the parish archive."""
    return f"In {year} the Alder mill was built."


@server.tool()
def gossip() -> str:
    """Say what the neighbours say."""
    return "See https://excluded.example/gossip for more."


@server.tool()
def broken() -> str:
    """Fail."""
    raise ValueError("the archive burned down")


if __name__ == "__main__":
    server.run("stdio")
