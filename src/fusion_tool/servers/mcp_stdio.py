"""MCP over standard input and output: the client starts the server, and ends it by closing its input.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio. Only messages go to standard
output: whatever else writes there, libraries in C and child processes too, is sent to standard error.
"""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TextIO

import anyio
from mcp.server.stdio import stdio_server

from fusion_tool.servers.mcp_server import Options, create_server

_log = logging.getLogger(__name__)


async def serve_stdio(options: Options) -> None:
    """Serve one client until it closes its end, or the caller is cancelled; its runs end with it."""
    server = create_server(options)
    with _protocol_alone() as out:
        try:
            async with stdio_server(_Lines(), anyio.wrap_file(out)) as (incoming, outgoing):  # type: ignore[arg-type]
                await server.run(incoming, outgoing, server.create_initialization_options())
        except* (BrokenPipeError, ConnectionError):
            _log.info("the client has gone without a word")


@contextmanager
def _protocol_alone() -> Iterator[TextIO]:
    """Standard output for the protocol; for everybody else it is standard error."""
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
        Thread(target=self._read, name="stdin", daemon=True).start()

    async def __aiter__(self) -> AsyncIterator[str]:
        while (line := await self._lines.get()) is not None:
            yield line

    def _read(self) -> None:
        put = self._lines.put_nowait
        with suppress(RuntimeError), open(0, encoding="utf-8", errors="replace", closefd=False) as lines:
            for line in lines:
                self._loop.call_soon_threadsafe(put, line)
            self._loop.call_soon_threadsafe(put, None)  # a `RuntimeError` where the loop has ended first
