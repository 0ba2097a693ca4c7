"""What the command line's tests share: running it, and a scripted panel that it can ask."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from typer import testing
from typer.testing import CliRunner, Result

from fusion_tool.cli.main import app
from tests.scripted_server import Reply, Request, ScriptedServer, ToolCall, faults

QUESTION = "Which moon has the thickest atmosphere?"
SENTENCE = "Titan has the thickest atmosphere of all moons, 1.5 bar at its surface"
PANEL = ("--model", "openrouter:v/a", "--model", "openrouter:v/b")
STAGES = ("--judge", "openrouter:v/judge", "--synthesizer", "openrouter:v/writer")
ANALYSIS = {
    "consensus": ["It is Titan."],
    "contradictions": [
        {"topic": "pressure", "stances": [{"model": "A", "stance": "1.5 bar"}, {"model": "B", "stance": "7 bar"}]}
    ],
    "partial_coverage": [{"models": ["A"], "point": "its surface"}],
    "unique_insights": [{"model": "B", "insight": "its haze"}],
    "blind_spots": ["its age"],
    "unsupported_claims": [{"model": "B", "claim": "It has 7 bar.", "why": "Its source says 1.5 bar."}],
}


# It makes all commands anew for each call, which takes longer than most of them.
testing._get_command = cache(testing._get_command)


def fusion(*arguments: str, stdin: str | bytes = "") -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, list(arguments), input=stdin, prog_name="fusion-tool", catch_exceptions=False)


def ask(*arguments: str, stdin: str | bytes = "") -> Result:
    """`ask` without web and shell, so that nothing but the scripted server is reached."""
    return fusion("ask", *arguments, "--no-search", "--bash", "off", stdin=stdin)


def process(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    """Start the command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "fusion_tool", *arguments],
        **(
            {
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                "text": True,
                "env": dict(os.environ),
            }
            | options
        ),
    )


def titan(folder: Path) -> Path:
    """A folder with one document."""
    folder.mkdir()
    (folder / "titan.md").write_text(f"# Titan\n\n{SENTENCE}.\n", "utf-8")
    return folder


def script_panel(server: ScriptedServer) -> None:
    """Two seats that search and cite, one that has no key, a judge that finds a dispute, a writer that cites."""
    for name in ("v/a", "v/b"):
        server.reply(name, _searching)
    server.reply("v/bad", faults.unauthorized())
    server.reply("v/judge", Reply(json.dumps(ANALYSIS), cost=0.003))
    server.reply("v/writer", cite_source)


def _searching(request: Request) -> Reply:
    if request.tools and not request.tool_results:
        return Reply(tool_calls=[ToolCall("search_documents", {"query": "thickest atmosphere"})], cost=0.001)
    return Reply(f"{SENTENCE} [{_source(request)}].", cost=0.002)


def cite_source(request: Request) -> Reply:
    return Reply(f"{SENTENCE} [{_source(request)}].", cost=None)


def _source(request: Request) -> str:
    """The id of the document in the prompt; where there is none, one that was never retrieved."""
    shown = re.search(r"source \[([0-9a-f]{8})\]", request.prompt) or re.search(
        r"surface \[([0-9a-f]{8})\]", request.prompt
    )
    return shown[1] if shown else "00000000"
