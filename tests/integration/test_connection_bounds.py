"""What a stranger's connection may take before its key is checked: header bytes, seconds, connections, body bytes."""

import json
import socket
import threading
import time
import tracemalloc
from contextlib import ExitStack, contextmanager

import httpx
import pytest
import uvicorn

from fusion_tool.servers import http_protocol
from fusion_tool.servers.app import Options
from fusion_tool.servers.app import create_app as openai_app
from fusion_tool.servers.http_protocol import MOST_HEADER_BYTES, BoundedServer, uvicorn_options
from fusion_tool.servers.mcp.http import create_app as mcp_app
from fusion_tool.servers.mcp.server import McpOptions
from fusion_tool.servers.open_files import Room
from fusion_tool.testing import fake_config

pytestmark = pytest.mark.loopback

APPS = {"openai": lambda: openai_app(Options(fake_config())), "mcp": lambda: mcp_app(McpOptions(fake_config()))}
ROOM = Room(runs=10, connections=500)
SMALL = {"limit_concurrency": 5}


@contextmanager
def served(app, **more):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = BoundedServer(uvicorn.Config(APPS[app](), **uvicorn_options(ROOM) | {"log_level": "critical"} | more))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            server.should_exit = True
            thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture(params=APPS)
def app(request):
    return request.param


def rest_of(connection):
    """What the server sends until it closes."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionError:  # it was reset
        pass
    return b"".join(parts)


def test_headers_without_an_end_take_a_bounded_memory_and_time(app):
    with served(app) as address, socket.create_connection(address, timeout=10) as connection:
        tracemalloc.start()
        started = time.perf_counter()
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000)
        reply = rest_of(connection)
        seconds, (_, peak) = time.perf_counter() - started, tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert b" 4" in reply.split(b"\r\n")[0]
    assert (seconds < 2, peak < 1_000_000) == (True, True), (seconds, peak)


def test_a_line_of_50_megabytes_is_not_read(app):
    with served(app) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: ")
        with pytest.raises(ConnectionError):
            connection.sendall(b"a" * 50_000_000)
        assert httpx.get(f"http://127.0.0.1:{address[1]}/healthz").status_code < 500


def test_many_short_headers_have_the_same_bound(app):
    with served(app) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * (MOST_HEADER_BYTES // 6 + 1))
        assert b" 4" in rest_of(connection).split(b"\r\n")[0]


@pytest.mark.parametrize("first", [b"", b"GET / HTTP/1.1\r\nx: a"], ids=["silent", "slow"])
def test_headers_that_do_not_come_end_the_connection(app, first, monkeypatch):
    monkeypatch.setattr(http_protocol, "SECONDS_FOR_HEADERS", 0.3)
    with served(app) as address, socket.create_connection(address, timeout=10) as connection:
        started = time.perf_counter()
        connection.sendall(first)
        connection.settimeout(0.05)
        while True:  # a byte now and then does not give it more time
            try:
                if not connection.recv(1):
                    break
            except TimeoutError:
                if first:
                    connection.sendall(b"a")
            except ConnectionError:
                break
        assert time.perf_counter() - started < 5


def test_a_second_request_that_does_not_come_ends_the_connection_too(app, monkeypatch):
    monkeypatch.setattr(http_protocol, "SECONDS_FOR_HEADERS", 0.3)
    with served(app) as address, socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 ")
        connection.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
        rest_of(connection)


def test_one_connection_too_many_is_turned_away_and_the_next_one_let_in(app):
    with served(app, **SMALL) as address, ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection(address, timeout=10)) for _ in range(4)]
        with socket.create_connection(address, timeout=10) as one_more:
            assert rest_of(one_more).startswith(b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\n")
        held[0].close()
        statuses = set()
        while not statuses & {200, 404}:
            statuses.add(httpx.get(f"http://127.0.0.1:{address[1]}/healthz").status_code)


def test_a_body_over_mcp_is_bounded_before_the_package_reads_it():
    with served("mcp") as (_, port):
        content = (b"[" * 65_536 for _ in range(100))
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        response = httpx.post(f"http://127.0.0.1:{port}/mcp", content=content, headers=headers)
    assert (response.status_code, json.loads(response.text)["error"]["code"]) == (413, "request_too_large")
