"""Worker processes on a machine that is slow to start them."""

import os
import pickle
import sys
import time
from contextlib import suppress
from functools import partial

import httpx
import psutil
import pytest

from fusion_tool.servers import process
from fusion_tool.servers.app import Options
from fusion_tool.servers.open_files import Room
from fusion_tool.servers.process import ServerAddress
from fusion_tool.servers.workers import WorkerProcess, create_worker_app
from fusion_tool.testing import fake_config
from tests.integration.openai_server import command

pytestmark = [pytest.mark.loopback, pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")]

WITHIN_SECONDS = 30.0
# Holds a worker that is about to import a module, until the test lets go of the pipe.
CUSTOMIZE = """
import os, sys
class Hold:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["HELD_AT"] and os.path.exists(os.environ["PIPE"]):
            open(os.environ["PIPE"]).read()
if "--multiprocessing-fork" in sys.orig_argv:
    sys.meta_path.insert(0, Hold())
"""


@pytest.fixture
def pipe(tmp_path, monkeypatch):
    (tmp_path / "sitecustomize.py").write_text(CUSTOMIZE, "utf-8")
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PIPE", str(path))
    return path


def test_a_worker_answers_while_it_imports(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("HELD_AT", "fusion_tool.servers.app")
    app = partial(create_worker_app, pickle.dumps(Options(fake_config())), tmp_path / "places", 1)
    worker = WorkerProcess(process._configure(app, ServerAddress(workers=2), Room(1, 10)), [])
    worker.start()
    try:
        with pipe.open("w"):  # waits for the worker, and holds it
            assert worker.ping(timeout=60)
            assert not worker.is_ready(timeout=60)
    finally:
        worker.kill()
        worker.join()


def test_a_worker_that_dies_before_it_answers_is_replaced_at_once(pipe, tmp_path, monkeypatch):
    monkeypatch.setenv("HELD_AT", "uvicorn")
    file = tmp_path / "fusion.toml"
    file.write_text('panel = ["openrouter:test/one"]\n', "utf-8")

    def workers():
        found = set()
        for child in psutil.Process(server.pid).children():
            with suppress(psutil.Error):  # it has just died
                if "--multiprocessing-fork" in child.cmdline():
                    found.add(child)
        return found

    with command(file, "--workers", "2", OPENROUTER_API_KEY="sk-or-none") as (server, url):
        with pipe.open("w"):
            while len(first := workers()) < 2:
                pass
            pipe.unlink()  # the next ones are not held
            for worker in first:
                worker.kill()
            started = time.monotonic()
            while len(workers() - first) < 2:
                assert time.monotonic() - started < WITHIN_SECONDS
        assert httpx.get(url.replace("/v1", "/healthz"), timeout=60).status_code == 200
