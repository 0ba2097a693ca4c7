"""The folder is indexed before the run, with a bar on a terminal, and what is left out is told."""

import io

import pytest
from rich.console import Console

from fusion_tool.cli.ask_run import index


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "good.md").write_text("# Kestrel\n\nThe Kestrel costs 349 crowns.", "utf-8")
    (papers / "broken.pdf").write_bytes(b"not a PDF")
    return papers


async def shown(folder, *, quiet=False, terminal=True):
    out = io.StringIO()
    await index([folder], Console(file=out, force_terminal=terminal, width=100), quiet=quiet)
    return out.getvalue()


async def test_a_terminal_sees_a_bar(folder):
    assert "indexing documents" in await shown(folder)


async def test_what_was_left_out_is_told_with_its_reason(folder):
    assert "left out: papers/broken.pdf: " in await shown(folder, terminal=False)


async def test_quiet_is_quiet(folder):
    assert await shown(folder, quiet=True) == ""


async def test_very_many_are_told_by_their_number(folder):
    for number in range(30):
        (folder / f"{number:02}.pdf").write_bytes(b"not a PDF")
    told = await shown(folder, terminal=False)
    assert told.count("left out: ") == 21
    assert "left out: 11 more; --json names them all" in told
