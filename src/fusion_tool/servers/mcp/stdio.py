"""The MCP server over standard input and output.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#stdio. Only messages go to standard
output: whatever else writes there, libraries in C and child processes too, is sent to standard error.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import Any, TextIO

import anyio
from mcp.server.stdio import stdio_server

from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.keys import ANONYMOUS
from fusion_tool.servers.mcp.sdk import log_in_lines
from fusion_tool.servers.mcp.server import McpOptions, McpServer
from fusion_tool.servers.promises import PromiseKeeper, keep_promises

_log = logging.getLogger(__name__)
_SECONDS_TO_END = 3
"""Seconds that answers have to reach their client when the server is stopped."""


async def serve_stdio(options: McpOptions) -> None:
    """Serve one client until it closes its end, or the caller is cancelled; its runs end with it.

    A client whose call is cut short by the caller is told so before the end.
    """
    log_in_lines()
    slots, lines = RunSlots(options.max_runs), _Lines()
    keeper = PromiseKeeper([options.config], (), slots) if options.keep else None
    server = McpServer(options, ANONYMOUS, slots, keeper.terms_of(ANONYMOUS) if keeper else None)
    async with keep_promises(keeper):
        await _serve(server, lines)


async def _serve(server: McpServer, lines: "_Lines") -> None:
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
        async with stdio_server(lines, output) as (incoming, outgoing):  # type: ignore[arg-type] # what it uses of a file
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
