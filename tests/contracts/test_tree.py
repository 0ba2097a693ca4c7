"""The package's root: few entries, each a word of the field, so that what is new finds its place inside one of them."""

from pathlib import Path

import fusion_tool

ROOT = {
    "__init__.py",
    "__main__.py",
    "py.typed",
    "errors.py",
    "events.py",
    "testing.py",
    "config",
    "budget",
    "models",
    "grounding",
    "tools",
    "routing",
    "graph",
    "api",
    "report",
    "servers",
    "evals",
    "cli",
}


def test_the_root_has_these_entries_and_no_others():
    entries = {entry.name for entry in Path(fusion_tool.__file__).parent.iterdir()} - {"__pycache__"}
    assert entries == ROOT
