"""A panel for other programs: an OpenAI-compatible server, MCP, Agent Server."""
