"""What the pages show to be run is run: Python against a scripted provider, commands, files."""

import ast
import asyncio
import inspect
import json
import re
from contextlib import ExitStack

import pytest
from typer.testing import CliRunner

from fusion_tool.cli.main import app
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.schema import FusionConfig
from fusion_tool.routing.policy.private_data import load_patterns
from fusion_tool.routing.profiles import load_profiles
from fusion_tool.servers.keys import load_callers
from fusion_tool.servers.overrides import apply_overrides, parse_overrides
from tests.contracts.pages.commands import SHELLS, command, documents, lines, mentioned, shown
from tests.contracts.pages.markdown import PAGES, PROJECT, ROOT, Block, blocks
from tests.integration.openai_server import served
from tests.scripted_server import Reply, ToolCall

NOT_RUN = {"http://127.0.0.1:2024": "needs the development server; `test_agent_server.py` starts one and does the like"}
"""Python that is compiled only: what stands in its block, and why."""

PARSED_ONLY = {
    "doctor": "tells of the machine that it runs on",
    "eval": "needs a task set, which is downloaded",
    "mcp": "does not end",
    "model": "downloads",
    "serve": "does not end",
}
"""Commands that are parsed, and not carried out."""

SERVER = "http://127.0.0.1:8000/v1"
"""Where the pages' server listens; one that does takes its place."""

STAND_INS = {"vendor/model-2": "openai/gpt-5.4", "vendor/model": "openai/gpt-5.5", "provider:model": "openai:gpt-5.5"}
"""What can stand where a file's block has a placeholder."""

LOADERS = {
    "fusion.toml": resolve_config,
    "profiles.toml": lambda path: load_profiles(path.parent),
    "keys.toml": load_callers,
    "private_patterns.toml": lambda path: load_patterns(path.parent),
}

COMPARISON = json.dumps(
    {"consensus": ["It is Titan."]}
    | {part: [] for part in ("contradictions", "partial_coverage", "unique_insights", "blind_spots")}
)


@pytest.fixture
def provider(scripted, monkeypatch):
    """OpenRouter and OpenAI: a panel that agrees on Titan, and an agent's model that asks it."""
    for name in ("OPENROUTER", "OPENAI"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-scripted-0123456789")
        monkeypatch.setenv(f"{name}_BASE_URL", scripted.url)
    scripted.on(lambda asked: "Reply with one JSON object" in asked.prompt, COMPARISON)
    scripted.on(
        lambda asked: "fusion_research" in asked.tools and not asked.tool_results,
        Reply(tool_calls=[ToolCall("fusion_research", {"question": "Which moon has the thickest atmosphere?"})]),
    )
    scripted.otherwise("It is Titan.")
    return scripted


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def of_page(found):
    """One test a page that has any of the blocks `found`."""
    return pytest.mark.parametrize("page", sorted({block.page for block in found}))


def name_of(block: Block) -> str:
    """Which of the user's files a TOML block is: its first line says it, or what its tables are named like."""
    said = re.match(r"# (\w+\.toml)\n", block.text)
    return said[1] if said else "profiles.toml" if block.text.startswith('["vendor/') else "fusion.toml"


def write_files(page, folder):
    """Put the page's TOML where its Python and its commands find it."""
    for block in blocks("toml"):
        if block.page == page:
            text = block.text
            for placeholder, value in STAND_INS.items():
                text = text.replace(f'"{placeholder}', f'"{value}')
            (folder / name_of(block)).write_text(text, "utf-8")


def run(block, names, server):
    """Execute a block as a script's next lines; a failure shows the page's own line."""
    text = "\n" * (block.line - 1) + block.text.replace(SERVER, server)
    code = compile(text, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if not any(part in text for part in NOT_RUN):
        done = eval(code, names)  # noqa: S307 - our own pages
        if inspect.iscoroutine(done):
            asyncio.run(done)


@pytest.mark.loopback
@pytest.mark.usefixtures("provider")
@of_page(blocks("python"))
def test_python_runs(page, folder):
    """Block after block, as a reader would who takes them over one by one."""
    write_files(page, folder)
    mine = [block for block in blocks("python") if block.page == page]
    config = FusionConfig(panel=["openrouter:v/a", "openrouter:v/b"], search=None, bash="off")
    names = {"__name__": "__main__"}
    with ExitStack() as stack:
        is_asked = any(SERVER in block.text for block in mine)
        server = stack.enter_context(served(config)) if is_asked else SERVER
        for block in mine:
            run(block, names, server)


def test_what_is_not_run_is_still_there():
    assert [part for part in NOT_RUN if not any(part in block.text for block in blocks("python"))] == []


@of_page(block for block, _ in shown())
def test_shown_commands_parse(page):
    for words in (words for block, words in shown() if block.page == page):
        one, rest = command(words[1:])
        one.make_context(words[1], list(rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mentioned_commands_and_flags_exist(page):
    for words, flags in mentioned(page):
        one, _ = command(words)
        known = {option for parameter in one.params for option in parameter.opts}
        assert set(flags) <= known | {"--help"}, words


@pytest.mark.loopback
@pytest.mark.usefixtures("provider", "user_folder")
@of_page(block for block, words in shown() if words[1] not in PARSED_ONLY)
def test_shown_commands_work(page, folder):
    write_files(page, folder)
    for block, words in shown():
        if block.page == page and words[1] not in PARSED_ONLY:
            done = CliRunner().invoke(app, words[1:], prog_name="fusion-tool")
            assert done.exit_code == 0, (words, done.output)


@of_page(blocks("toml"))
def test_files_load(page, folder):
    write_files(page, folder)
    for name in (name_of(block) for block in blocks("toml") if block.page == page):
        assert LOADERS[name](folder / name)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block):
    assert documents(block)


def test_the_wishes_shown_for_studio_are_granted(folder):
    """The page's context, within its own configuration."""
    write_files("studio.md", folder)
    (block,) = (block for block in blocks("json") if block.page == "studio.md")
    (wishes,) = documents(block)
    granted = apply_overrides(resolve_config(folder / "fusion.toml"), parse_overrides(wishes))
    assert [seat.short_name for seat in granted.panel] == wishes["models"]
    assert granted.limits.seconds == wishes["limits"]["seconds"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_and_extras_exist(page):
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    mine = [block for language in SHELLS for block in blocks(language) if block.page == page.name]
    made = [words[1] for block in mine for words in lines(block) if words[0] == "make"]
    assert set(made) <= set(targets)
    extras = re.findall(r"fusion-tool\[([\w,]+)\]", page.read_text("utf-8"))
    assert {name for one in extras for name in one.split(",")} <= set(PROJECT["project"]["optional-dependencies"])
