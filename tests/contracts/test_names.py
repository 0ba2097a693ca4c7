"""Names: one word for one thing, so that a class is known by its name alone."""

import ast
from collections import defaultdict
from pathlib import Path

import fusion_tool

ROOT = Path(fusion_tool.__file__).parent


def test_no_two_public_classes_have_one_name():
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(path.relative_to(ROOT).as_posix())
    assert len(homes) > 100  # the walk saw the package
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
