"""Tools that cannot work are told before anything is spent."""

import shutil

import pytest

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, SandboxUnavailable
from fusion_tool.tools import build
from fusion_tool.tools.build import check_tools
from fusion_tool.tools.sandbox.bubblewrap import Probe
from fusion_tool.tools.search.search import PROVIDERS


@pytest.fixture
def works(monkeypatch):
    """Say whether the sandbox works."""

    def say(answer, detail=""):
        async def probed():
            return Probe(works=answer, detail=detail, bwrap=None)

        monkeypatch.setattr(build, "probe", probed)

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
    assert (await check_tools(config(bash=bash))).shell == shell


async def test_a_sandbox_that_is_required_and_broken_is_refused(works):
    works(answer=False, detail="no bwrap")
    with pytest.raises(SandboxUnavailable, match="no bwrap"):
        await check_tools(config(bash="sandbox"))


@pytest.mark.parametrize(
    ("provider", "variable"), [(spec.name, spec.variable) for spec in PROVIDERS.values() if spec.variable]
)
async def test_a_search_provider_without_its_variable_names_it(monkeypatch, provider, variable):
    chosen = config(search={"providers": ["duckduckgo", provider]})
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"{provider}.*{variable}") as caught:
        await check_tools(chosen)
    assert caught.value.field == "search.providers"
    monkeypatch.setenv(variable, "http://search.example")
    assert (await check_tools(chosen)).shell == "off"


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "notes"
    root.mkdir()
    (root / "good.md").write_text("The Kestrel costs 349 crowns.")
    return root


async def test_documents_that_can_be_read_are_no_obstacle(folder):
    assert (await check_tools(config(documents=folder))).shell == "off"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (shutil.rmtree, "cannot read .*No such file"),
        (
            lambda root: (root / "good.md").unlink(),
            "no document can be read in .*: nothing is there; correct documents.path",
        ),
        (
            lambda root: (root / "good.md").write_bytes(b""),
            "no document can be read in .*: notes/good.md holds no text; correct documents.path",
        ),
        (
            lambda root: (root / "good.md").rename(root / "good.log"),
            r"no document can be read in .*: notes/\*\.log 1 file of a kind that is not read; correct documents.path",
        ),
    ],
    ids=["gone", "empty", "nothing in it", "nothing that is read"],
)
async def test_documents_that_cannot_be_read_are_told_with_their_folder_and_the_cause(folder, make, says):
    make(folder)
    with pytest.raises(ConfigError, match=says) as caught:
        await check_tools(config(documents=folder))
    assert caught.value.field == "documents"
    assert str(folder) in str(caught.value)


async def test_an_index_that_cannot_be_made_is_told(folder, monkeypatch):
    monkeypatch.setattr("fusion_tool.tools.documents.refresh.list_documents", lambda _: {}[""])
    with pytest.raises(ConfigError, match=r"cannot index .*KeyError"):
        await check_tools(config(documents=folder))
