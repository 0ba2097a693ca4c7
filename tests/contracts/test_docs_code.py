"""What the pages show to be run is run: Python against a scripted provider, commands, files."""

import ast
import asyncio
import inspect
import json
import re
import tomllib
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fusion_tool.cli.main import app
from fusion_tool.config import FusionConfig
from fusion_tool.routing.privacy import load_patterns
from fusion_tool.routing.profiles import load_profiles
from fusion_tool.settings import load_file
from tests.contracts.pages.commands import SHELLS, command, documents, lines, mentioned, shown
from tests.contracts.pages.markdown import PAGES, ROOT, blocks
from tests.integration.openai_server import served
from tests.scripted_server import Reply, ToolCall

NOT_RUN: dict[str, str] = {}
"""Python blocks that are compiled only, by what stands in them, and why."""

PARSED_ONLY = {
    "doctor": "tells of the machine that it runs on",
    "eval": "needs a task set, which is downloaded",
    "mcp": "does not end",
    "model": "downloads",
    "serve": "does not end",
}
"""Commands of which a page's are parsed, and not carried out."""

SERVER = "http://127.0.0.1:8000"
"""Where pages have the server listen; its place is taken by one that does."""

NAMES = {"routing.md": "profiles.toml"}
"""What a page's TOML is called that does not say it in its first line; others are a `fusion.toml`."""

STAND_INS = {"vendor/model": "openai/gpt-5.5", "provider:model": "openai:gpt-5.5"}
"""What can stand where a file's block has a placeholder."""

LOADERS = {
    "fusion.toml": load_file,
    "profiles.toml": lambda path: load_profiles(path.parent),
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


def files_of(page):
    """The page's TOML blocks as the files that they stand for: name, text."""
    for block in (block for block in blocks("toml") if block.page == page):
        said = re.match(r"# (\w+\.toml)\n", block.text)
        text = block.text
        for placeholder, value in STAND_INS.items():
            text = text.replace(f'"{placeholder}', f'"{value}')
        yield said[1] if said else NAMES.get(page, "fusion.toml"), text


def write_files(page, folder):
    for name, text in files_of(page):
        (folder / name).write_text(text, "utf-8")


def ids(values):
    return {"argnames": "page", "argvalues": sorted({block.page for block in values})}


@pytest.mark.loopback
@pytest.mark.parametrize(**ids(blocks("python")))
def test_python_runs(page, provider, folder):
    """Block after block, as a reader would who takes them over one by one."""
    write_files(page, folder)
    names = {"__name__": "__main__"}
    with ExitStack() as stack:
        for block in (block for block in blocks("python") if block.page == page):
            text = block.text
            if SERVER in text:
                config = FusionConfig(panel=["openrouter:v/a", "openrouter:v/b"], search=None, bash="off")
                text = text.replace(f"{SERVER}/v1", stack.enter_context(served(config)))
            code = compile(
                "\n" * (block.line - 1) + text, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            )
            if any(part in text for part in NOT_RUN):
                continue
            done = eval(code, names)
            if inspect.iscoroutine(done):
                asyncio.run(done)


def test_what_is_not_run_is_still_there():
    assert [part for part in NOT_RUN if not any(part in block.text for block in blocks("python"))] == []


@pytest.mark.parametrize(("block", "words"), [pytest.param(*one, id=f"{one[0]} {one[1][1]}") for one in shown()])
def test_a_shown_command_parses(block, words):
    one, rest = command(words[1:])
    one.make_context(words[1], list(rest))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mentioned_commands_and_flags_exist(page):
    for words, flags in mentioned(page):
        one, _ = command([word for word in words if word.islower() or word.startswith("-")][:2])
        known = {option for parameter in one.params for option in (*parameter.opts, "-h", "--help", "--version")}
        assert set(flags) <= known, words


@pytest.mark.loopback
@pytest.mark.parametrize(**ids(block for block, words in shown() if words[1] not in PARSED_ONLY))
def test_shown_commands_work(page, provider, folder):
    write_files(page, folder)
    for block, words in shown():
        if block.page == page and words[1] not in PARSED_ONLY:
            done = CliRunner().invoke(app, words[1:], prog_name="fusion-tool")
            assert done.exit_code == 0, (words, done.output)


@pytest.mark.parametrize(**ids(blocks("toml")))
def test_files_load(page, tmp_path):
    for name, text in files_of(page):
        (tmp_path / name).write_text(text, "utf-8")
        assert LOADERS[name](tmp_path / name)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_is_json(block):
    assert documents(block)


def test_the_context_shown_for_studio_is_one():
    (block,) = (block for block in blocks("json") if block.page == "studio.md")
    assert FusionConfig(**documents(block)[0]).panel[0].base_url


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_and_extras_exist(page):
    makefile = (ROOT / "Makefile").read_text("utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    commands = [words for language in SHELLS for block in blocks(language) if block.page == page for words in lines(block)]
    for words in commands:
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), words
    named = re.findall(r"fusion-tool\[([\w,]+)\]", page.read_text("utf-8"))
    assert {extra for one in named for extra in one.split(",")} <= set(extras)

