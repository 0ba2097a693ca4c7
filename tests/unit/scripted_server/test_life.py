"""Start, stop, and what is left behind."""

import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from tests.scripted_server import Hang, ScriptedServer
from tests.unit.scripted_server.talk import PLAIN, USER, post

pytestmark = pytest.mark.loopback


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files through /proc")
def test_nothing_is_left_behind():
    def open_now():
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with httpx.Client(**PLAIN) as http:
        before = open_now()
        for _ in range(3):
            with ScriptedServer() as server:
                http.get(f"{server.url}/models")
        http.close()
    assert open_now() == before


def test_stopping_cuts_off_who_still_waits_and_blames_nobody():
    with httpx.Client(**PLAIN) as http:
        raised = []

        def wait(url):
            try:
                http.post(url, json={"model": "m", "messages": USER}, timeout=None)
            except httpx.TransportError as error:
                raised.append(type(error))

        with ScriptedServer() as server:
            server.otherwise(Hang())
            waiting = threading.Thread(target=wait, args=(f"{server.url}/chat/completions",))
            waiting.start()
            server.wait_until(lambda: server.in_flight)
        waiting.join(timeout=5)
    assert raised
    assert server.disconnects == []


def test_it_may_stop_twice_or_without_a_start():
    server = ScriptedServer()
    server.stop()
    with ScriptedServer() as started:
        started.stop()


def test_the_url_is_loopback(scripted):
    assert scripted.url == f"{scripted.root}/v1"
    assert httpx.URL(scripted.url).host == "127.0.0.1"


def test_it_runs_alone():
    command = [sys.executable, "-m", "tests.scripted_server", "--text", "by hand", "--latency-ms", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        try:
            url = process.stdout.readline().strip()
            answer = post(f"{url}/chat/completions", json={"model": "m", "messages": USER})
        finally:
            process.terminate()
    assert answer.json()["choices"][0]["message"]["content"] == "by hand"


def test_only_loopback_is_open():
    # pytest-socket warns before it raises, and warnings are errors.
    with httpx.Client(**PLAIN) as http, pytest.raises(UserWarning, match=r"192\.0\.2\.1"):
        http.get("http://192.0.2.1/")
