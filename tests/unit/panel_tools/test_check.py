"""Tools that cannot work are told before anything is spent."""

import pytest

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.panel_tools import check, check_tools
from fusion_tool.panel_tools.check import NEEDS
from fusion_tool.sandbox import Probe


@pytest.fixture
def works(monkeypatch):
    """Say whether the sandbox works."""

    def say(answer, detail=""):
        async def probed():
            return Probe(works=answer, detail=detail, bwrap=None)

        monkeypatch.setattr(check, "probe", probed)

    return say


def config(**settings):
    return FusionConfig(**{"panel": ["x:m"], "bash": "off"} | settings)


@pytest.mark.parametrize(
    ("bash", "working", "shell"),
    [
        ("off", True, "off"),
        ("off", False, "off"),
        ("auto", True, "sandbox"),
        ("auto", False, "none: no bwrap"),
        ("sandbox", True, "sandbox"),
    ],
)
async def test_what_the_shell_is(works, bash, working, shell):
    works(working, "" if working else "no bwrap")
    assert await check_tools(config(bash=bash)) == shell


async def test_a_sandbox_that_is_required_and_broken_is_refused(works):
    works(answer=False, detail="no bwrap")
    with pytest.raises(SandboxUnavailable, match="no bwrap"):
        await check_tools(config(bash="sandbox"))


@pytest.mark.parametrize(("provider", "variable"), NEEDS.items())
async def test_a_search_provider_without_its_variable_names_it(monkeypatch, provider, variable):
    chosen = config(search={"providers": ["duckduckgo", provider]})
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"{provider}.*{variable}") as caught:
        await check_tools(chosen)
    assert caught.value.field == "search.providers"
    monkeypatch.setenv(variable, "http://search.example")
    assert await check_tools(chosen) == "off"


async def test_a_documents_folder_must_be_there(tmp_path):
    assert await check_tools(config(documents=tmp_path)) == "off"
    file = tmp_path / "file.md"
    file.write_text("x")
    for wrong in (tmp_path / "absent", file):
        with pytest.raises(ConfigError, match="no folder at") as caught:
            await check_tools(config(documents=wrong))
        assert caught.value.field == "documents"


async def test_a_documents_folder_must_be_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(check.os, "access", lambda *_: False)
    with pytest.raises(ConfigError, match="cannot be read"):
        await check_tools(config(documents=tmp_path))
