"""Aegra, an open-source Agent Server, as processes over one PostgreSQL and one Redis: as in several containers."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

from tests.integration.dev_server import ROOT, copy_graphs, offline, wait_until_ready

PYTHON = ROOT / ".venv-aegra" / "bin" / "python"
# What a worker that was killed had begun is taken over after at most lease and interval: 50 seconds unless set.
LEASE = {"LEASE_DURATION_SECONDS": "10", "HEARTBEAT_INTERVAL_SECONDS": "2", "REAPER_INTERVAL_SECONDS": "1"}
QUIET = {"LOG_LEVEL": "WARNING", "CRON_ENABLED": "false"}
COMPOSE = yaml.safe_load((ROOT / "examples" / "aegra" / "compose.yaml").read_text("utf-8"))["services"]


def require_aegra() -> None:
    """Skip the test where Aegra cannot run, and say what is missing."""
    if not PYTHON.exists():
        pytest.skip("Aegra is not installed: make aegra (it needs Python 3.12)")
    if shutil.which("redis-server") is None:
        pytest.skip("Redis is not installed (Debian's package is 'redis-server')")


@contextmanager
def redis() -> Iterator[str]:
    """The address of a Redis of its own, which stores nothing."""
    folder = Path(tempfile.mkdtemp(prefix="fusion-tool-redis-"))
    socket = folder / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(folder))
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert any("eady to accept connections" in line for line in process.stdout)
            yield f"unix://{socket}"
        finally:
            process.kill()
            shutil.rmtree(folder, ignore_errors=True)


def migrate(folder: Path, database: str) -> dict[str, str]:
    """Make all tables, as the compose file does it, and return the environment that its processes share."""
    environment = {**offline(folder), **COMPOSE["aegra"]["environment"], **QUIET, "OPENROUTER_API_KEY": ""}
    environment |= {"DATABASE_URL": database}
    subprocess.run([PYTHON, *COMPOSE["migrate"]["command"][1:]], env=environment, cwd=folder, check=True)
    return environment


@contextmanager
def aegra(
    folder: Path, ports: list[int], database: str, redis_url: str, *, jobs: int
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes of Aegra that serve this project's graphs, one a port, each with room for so many jobs.

    The operator's files are in `folder`.
    """
    copy_graphs(folder)
    environment = migrate(folder, database) | LEASE | {"REDIS_URL": redis_url}
    environment |= {"WORKER_COUNT": "1", "N_JOBS_PER_WORKER": str(jobs)}
    with ExitStack() as stack:
        processes = []
        for port in ports:
            log = stack.enter_context((folder / f"log-{port}").open("wb"))
            process = subprocess.Popen(
                [PYTHON, "-m", "uvicorn", "aegra_api.main:app", "--port", str(port), "--log-level", "warning"],
                cwd=folder,
                env={**environment, "PORT": str(port)},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        for port, process in zip(ports, processes, strict=True):
            wait_until_ready(process, f"http://127.0.0.1:{port}/health", folder / f"log-{port}")
        yield processes
