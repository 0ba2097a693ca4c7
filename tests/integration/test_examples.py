"""Every example runs as a user would run it, in a process of its own, against the scripted provider."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scripted_server import Reply, ToolCall

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.loopback


def run(name, server, *arguments):
    environment = {
        **os.environ,
        "OPENROUTER_API_KEY": "sk-or-scripted-0000",
        "OPENROUTER_BASE_URL": server.url,
        "OPENAI_API_KEY": "sk-scripted-0000",
        "OPENAI_BASE_URL": server.url,
        "NO_PROXY": "*",
    }
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def analysis(topic):
    return f'{{"consensus": ["both survive"], "contradictions": [{{"topic": "{topic}", "stances": []}}]}}'


def test_every_example_is_tested():
    here = Path(__file__).read_text("utf-8")
    assert [path.name for path in sorted(EXAMPLES.glob("*.py")) if f'"{path.name}"' not in here] == []


def test_quickstart(scripted):
    scripted.otherwise("WAL survives with synchronous=FULL.")
    scripted.reply(
        "anthropic/claude-opus-4.8", analysis("checkpointing"), Reply("WAL with synchronous=FULL.", cost=0.01)
    )
    out = run("01_quickstart.py", scripted)
    assert "WAL with synchronous=FULL." in out
    assert "disputed: checkpointing" in out
    assert "ok, $0.01" in out


def test_tool_in_agent(scripted):
    scripted.otherwise("SQLite is safer.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("size"), "SQLite is safer.")
    asked = {"question": "SQLite or append-only files for an audit log?"}
    scripted.reply("gpt-5.5", Reply(tool_calls=[ToolCall("fusion_research", asked)]), "Use SQLite.")
    out = run("02_tool_in_agent.py", scripted)
    assert "Use SQLite." in out
    assert "the panel took" in out
