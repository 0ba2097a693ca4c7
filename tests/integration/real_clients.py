"""Real clients of the servers: programs in `tests/clients/`, run in environments of their own."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_PYTHON = _ROOT / ".venv-clients" / "bin" / "python"
_CLIENTS = _ROOT / "tests" / "clients"

needs_python_clients = pytest.mark.skipif(
    not _PYTHON.exists(), reason="the Python clients are not installed: 'make test' does that"
)
needs_node_clients = pytest.mark.skipif(
    shutil.which("node") is None or not (_CLIENTS / "node_modules" / "openai").exists(),
    reason="node or its clients are not installed: 'make test' installs them where npm is",
)


def run_python_client(script: str, *arguments: str, seconds: float = 60) -> Any:
    """Run `tests/clients/python/SCRIPT`, and return the JSON of its last line.

    Args:
        script: The file's name.
        arguments: Its arguments: the server's address first, by custom.
        seconds: The time that it may take.
    """
    return _last_line([str(_PYTHON), str(_CLIENTS / "python" / script), *arguments], seconds)


def run_node_client(script: str, *arguments: str, seconds: float = 60) -> Any:
    """Run `tests/clients/node/SCRIPT`, and return the JSON of its last line; arguments as for Python's."""
    return _last_line(["node", str(_CLIENTS / "node" / script), *arguments], seconds)


def _last_line(command: list[str], seconds: float) -> Any:
    # Without the caller's keys and proxies: a client must ask the address that the test names, and nobody else.
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout.strip().splitlines()[-1])
