"""Every example runs, as a user would run it, against the scripted provider."""

import re
import runpy
from pathlib import Path

import pytest

from fusion_tool import preset
from tests.integration.openai_server import served
from tests.scripted_server import Reply, ToolCall

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.loopback


@pytest.fixture
def run(scripted, monkeypatch, capfd):
    """Runs an example with these arguments, as `python examples/...` does; what it printed."""
    keys = {"OPENROUTER_API_KEY": "sk-or-scripted-0000", "OPENAI_API_KEY": "sk-scripted-0000"}
    urls = {"OPENROUTER_BASE_URL": scripted.url, "OPENAI_BASE_URL": scripted.url, "NO_PROXY": "*"}
    for variable, value in (keys | urls).items():
        monkeypatch.setenv(variable, value)

    def running(name, *arguments):
        monkeypatch.setattr("sys.argv", [name, *arguments])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capfd.readouterr().out

    return running


def analysis(topic):
    return f'{{"consensus": ["both survive"], "contradictions": [{{"topic": "{topic}", "stances": []}}]}}'


def test_every_example_is_tested():
    here = Path(__file__).read_text("utf-8")
    assert [path.name for path in sorted(EXAMPLES.glob("*.py")) if f'"{path.name}"' not in here] == []


def test_quickstart(run, scripted):
    scripted.otherwise("WAL survives with synchronous=FULL.")
    scripted.reply(
        "anthropic/claude-opus-4.8", analysis("checkpointing"), Reply("WAL with synchronous=FULL.", cost=0.01)
    )
    out = run("01_quickstart.py")
    assert "WAL with synchronous=FULL." in out
    assert "disputed: checkpointing" in out
    assert "partial, $0.01" in out  # no web here, and nothing is cited


def test_tool_in_agent(run, scripted):
    scripted.otherwise("SQLite is safer.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("size"), "SQLite is safer.")
    asked = {"question": "SQLite or append-only files for an audit log?"}
    scripted.reply("gpt-5.5", Reply(tool_calls=[ToolCall("fusion_research", asked)]), "Use SQLite.")
    out = run("02_tool_in_agent.py")
    assert "Use SQLite." in out
    assert "the panel took" in out


def test_custom_panel(run, scripted):
    scripted.reply("openai/gpt-5-mini", "It gained it then.\n\n**2010**")
    scripted.reply("deepseek/deepseek-v4-pro", "Answer: 2010")
    out = run("03_custom_panel.py")
    assert "2010" in out
    assert "strong only where they disagree" in out
    assert "wave 1, quick (openrouter:openai/gpt-5-mini)" in out
    assert not scripted.calls("anthropic/claude-opus-4.8")


def test_budget_and_limits(run, scripted):
    scripted.otherwise(Reply("New rules.", cost=0.001))
    scripted.reply("anthropic/claude-opus-4.8", analysis("dates"), Reply("New rules apply.", cost=0.02))
    out = run("04_budget_and_limits.py")
    assert "refused: limits.usd" in out
    assert "New rules apply." in out
    assert "$0.0200 (provider)" in out


def test_stream_progress(run, scripted):
    scripted.otherwise("They differ.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("pruning"), "They differ in what they count.")
    out = run("05_stream_progress.py")
    assert "answered" in out
    assert "They differ in what they count." in out
    assert "partial after" in out


def test_chat_model(run, scripted):
    scripted.otherwise("Argon2id.")
    written = '{"choice": "Argon2id", "reasons": ["it is memory-hard"]}'
    scripted.on(lambda request: "JSON object of this schema" in request.prompt, written)
    scripted.reply(
        "anthropic/claude-opus-4.8",
        analysis("memory"),
        Reply("Argon2id.", cost=0.02),
        analysis("memory"),
        "19 MiB, two passes.",
        analysis("memory"),
    )
    out = run("06_chat_model.py")
    assert "Argon2id.\ncost: 0.02" in out
    assert "19 MiB, two passes." in out
    assert "Argon2id: it is memory-hard" in out


def test_mcp_client(run, scripted):
    scripted.otherwise("MIT does.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("scope"), "MIT does; MPL 2.0 by file.")
    out = run("07_mcp_client.py")
    assert "gemini-3-flash-preview: asked" in out
    assert "MIT does; MPL 2.0 by file." in out
    assert "gemini-3-flash-preview took" in out


def test_openai_client(run, scripted):
    scripted.otherwise("Hardly.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("loss"), "Hardly, on a good network.")
    with served(preset("budget")) as url:
        out = run("08_openai_client.py", url)
    assert "models: fusion" in out
    assert "Hardly, on a good network." in out
    assert "partial; citations: []" in out


def test_own_tools(run, scripted):
    called = Reply(tool_calls=[ToolCall("stock", {"product": "Kestrel"})])
    scripted.otherwise("14 are there.")
    scripted.reply("google/gemini-3-flash-preview", called, "14 are there, so yes.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("count"), "Yes: 14 are there.")
    out = run("09_own_tools.py")
    assert "Yes: 14 are there." in out
    assert "gemini-3-flash-preview: 1 tool calls" in out


def test_resume(run, scripted, tmp_path):
    scripted.otherwise("Some do.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("terms"), "Some licences do.")
    first = run("10_resume.py", str(tmp_path))
    assert "Some licences do." in first
    run_id = first.split()[1]
    asked = len(scripted.requests)
    assert "Some licences do." in run("10_resume.py", str(tmp_path), run_id)
    assert len(scripted.requests) == asked, "what is finished is not paid for again"


def test_standalone_graph(run, scripted):
    scripted.otherwise("Raft.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("proofs"), "Raft, by the evidence.")
    out = run("11_standalone_graph.py")
    assert "judge(judge)" in out
    assert "gemini-3-flash-preview: Raft." in out
    assert "Raft, by the evidence." in out


def test_subgraph(run, scripted):
    scripted.otherwise("No.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("adherence"), "No clear advantage.")
    out = run("12_subgraph.py")
    assert "ai: No clear advantage." in out
    assert "ai: The panel took 3 words." in out


def test_follow_up(run, scripted):
    def ask_on(request):
        (run_id,) = re.findall(r"\(id (\w+); Panel:", request.prompt)
        return research("How long is it kept there?", continues=run_id)

    def research(question, **more):
        return Reply(tool_calls=[ToolCall("fusion_research", {"question": question, **more})])

    def edit(old, new):
        return Reply(tool_calls=[ToolCall("edit_note", {"old": old, "new": new})])

    scripted.otherwise("SQLite, ten years.")
    scripted.reply("anthropic/claude-opus-4.8", analysis("size"), Reply("SQLite.", cost=0.01))
    scripted.reply(
        "gpt-5.5",
        research("Where is it stored?"),
        edit("to be decided", "SQLite"),
        edit("Store: to be decided.", "Store: SQLite."),
        ask_on,
        edit("Retention: to be decided.", "Retention: ten years."),
        "Both are in the note.",
    )
    out = run("13_follow_up.py")
    assert "Store: SQLite.\nRetention: ten years." in out
    first, second = re.findall(r"\(run (\w+), from (\w+)\)", out)
    assert (first[1], second[1]) == ("None", first[0])
    assert "all research: $" in out
    assert len(scripted.calls("gpt-5.5")) == 6
