"""The shape of the source. How large a file may be is for whoever reviews it, not for a test."""

from pathlib import Path

import pytest

import fusion_tool

PACKAGE = Path(fusion_tool.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_file_says_what_it_is(file):
    assert file.read_text("utf-8").startswith('"""')
    assert file.stem not in {"utils", "util", "helpers", "misc", "common"}


def test_no_file_defers_annotations():
    """LangGraph reads the nodes' annotations, pydantic its models'."""
    assert not [file for file in FILES if "from __future__ import annotations" in file.read_text("utf-8")]


def test_type_checkers_see_the_types():
    assert (PACKAGE / "py.typed").is_file()
