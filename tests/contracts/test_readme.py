"""What the README says is so: its commands exist, its code runs as far as it can without a key, its facts hold."""

import ast
import re
from pathlib import Path

from typer.main import get_command

from fusion_tool.cli.main import app
from fusion_tool.presets import preset_names
from fusion_tool.result import FusionResult

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_its_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_its_commands_and_flags_exist():
    group = get_command(app)
    for command, rest in re.findall(r"fusion-tool (\w+)([^\n`]*)", README):
        assert command in group.commands, command
        taken = {option for one in group.commands[command].params for option in one.opts}
        assert set(re.findall(r"(--[\w-]+)", rest)) <= taken, command


def test_its_python_parses_and_imports_what_there_is():
    import fusion_tool

    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "fusion_tool":
                assert [one.name for one in node.names if not hasattr(fusion_tool, one.name)] == []


def test_its_presets_are_those_there_are():
    assert tuple(re.findall(r"^\| `(\w+)`", README, re.MULTILINE)) == preset_names()


def test_its_fields_are_those_of_a_result():
    paragraph = README.split("## What a result holds")[1].split("##")[0]
    named = set(re.findall(r"`(\w+)`", paragraph)) - {"null"}
    assert named <= set(FusionResult.model_fields)


def test_the_documents_that_it_names_exist():
    for name in re.findall(r"`((?:docs/)?[\w/]+\.md)`", README):
        assert (ROOT / name).exists(), name
