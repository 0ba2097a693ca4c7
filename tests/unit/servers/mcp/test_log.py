"""What a server prints of what libraries log: a line each, and nothing of what a client has been told."""

import logging

import anyio
import pytest

from fusion_tool.servers.mcp.sdk import _LineHandler


def record(name, level, message, error=None):
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, level, "file.py", 1, message, (), info)


@pytest.mark.parametrize(
    ("logged", "line"),
    [
        (record("root", logging.WARNING, "Failed to validate request: 31 validation errors\nfor all"), ""),
        (record("mcp.server.lowlevel.server", logging.WARNING, "Tool 'x' not listed"), ""),
        (record("mcp.server.x", logging.ERROR, "Error in writer", anyio.ClosedResourceError()), ""),
        (record("mcp.server.x", logging.ERROR, "two\nlines"), "error: two lines\n"),
        (
            record("mcp.server.x", logging.ERROR, "Broke", ValueError("no\nbulb")),
            "error: Broke (ValueError: no bulb)\n",
        ),
        (record("asyncio", logging.WARNING, "slow"), "warning: slow\n"),
        (record("asyncio", logging.INFO, "fine"), ""),
    ],
)
def test_a_log_is_a_line_or_none(capsys, logged, line):
    _LineHandler().handle(logged)
    assert capsys.readouterr().err == line
