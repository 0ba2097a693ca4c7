"""A provider of chat completions that says what a test tells it to, over real HTTP on loopback."""

from tests.scripted_server import faults
from tests.scripted_server.reply import (
    Answer,
    Cut,
    Gate,
    Hang,
    Interrupted,
    Raw,
    Reply,
    Scripted,
    ToolCall,
    Usage,
    cited,
)
from tests.scripted_server.request import Request
from tests.scripted_server.script import Installed
from tests.scripted_server.server import ScriptedServer

__all__ = [
    "Answer",
    "Cut",
    "Gate",
    "Hang",
    "Installed",
    "Interrupted",
    "Raw",
    "Reply",
    "Request",
    "Scripted",
    "ScriptedServer",
    "ToolCall",
    "Usage",
    "cited",
    "faults",
]
