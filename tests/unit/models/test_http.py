"""The models' HTTP client: connections are kept, places are given back, and an error says what has happened."""

import asyncio
import base64
import gzip
import json
import socket
import ssl
import struct
from contextlib import asynccontextmanager

import httpx2
import pytest

from fusion_tool.models.faults import never_connected
from fusion_tool.models.http import make_client, post_body
from tests.scripted_server import Gate, Hang, Reply

pytestmark = pytest.mark.loopback

BODY = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_proxy".upper(), raising=False)


@pytest.fixture
def opened(monkeypatch):
    """The connections that are opened."""
    connections = []
    connect = asyncio.BaseEventLoop.create_connection

    async def count(loop, *args, **options):
        connections.append(args)
        return await connect(loop, *args, **options)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", count)
    return connections


async def by_request(client, url):
    return await client.post(url, json=BODY)


async def by_body(client, url):
    return await post_body(client, url, [("content-type", "application/json")], json.dumps(BODY).encode(), stream=False)


@pytest.fixture(params=[by_request, by_body])
def post(request):
    """Each way to post a body: that of LangChain's packages, and that of this package's own model."""
    return request.param


@pytest.fixture
def ask(post):
    async def status(client, server):
        return (await post(client, f"{server.url}/chat/completions")).status_code

    return status


@asynccontextmanager
async def raw_server(reply, asked=None):
    """A server that answers with `reply`; its port."""

    async def answer(reader, writer):
        if reply is None:
            writer.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            return
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head.decode())
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_calls_one_after_another_share_a_connection(opened, scripted, ask):
    async with make_client(busy=100) as client:
        for _ in range(3):
            assert await ask(client, scripted) == 200
    assert len(opened) == 1


async def test_a_streams_connection_is_used_again_if_it_was_read_to_its_end_and_closed_if_not(opened, scripted):
    scripted.reply("m", Reply("The tide rose."), Reply("And fell."), Hang(after=2), Reply("Again."))
    body = {**BODY, "stream": True}
    async with make_client(busy=1) as client:
        for is_whole in (True, True, False, True):
            async with client.stream("POST", f"{scripted.url}/chat/completions", json=body) as reply:
                pieces = reply.aiter_bytes()
                assert await anext(pieces)
                if is_whole:
                    async for _ in pieces:
                        """To its end."""
        await scripted.until(lambda: len(scripted.disconnects) == 1)
    assert len(opened) == 2


async def test_more_at_once_than_clients_mostly_allow_are_all_on_their_way(scripted, ask):
    gate = Gate()
    scripted.otherwise(Reply("x", gate=gate))
    async with make_client(busy=200) as client:
        calls = [asyncio.ensure_future(ask(client, scripted)) for _ in range(120)]
        await scripted.until(lambda: scripted.in_flight == 120)
        gate.open()
        assert set(await asyncio.gather(*calls)) == {200}


async def test_where_every_place_is_busy_calls_wait_their_turn(scripted, ask):
    async with make_client(busy=2) as client:
        assert await asyncio.gather(*(ask(client, scripted) for _ in range(8))) == [200] * 8
    assert scripted.peak_in_flight <= 2


async def test_a_cancelled_call_is_seen_by_the_server_and_gives_its_place_back(scripted, ask):
    gate = Gate()
    scripted.otherwise(Reply("x", gate=gate))
    async with make_client(busy=1) as client:
        first = asyncio.ensure_future(ask(client, scripted))
        await scripted.until(lambda: scripted.in_flight == 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await scripted.until(lambda: len(scripted.disconnects) == 1)
        gate.open()
        assert await ask(client, scripted) == 200


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"", httpx2.RemoteProtocolError),
        (b"no HTTP\r\n\r\n", httpx2.RemoteProtocolError),
        (None, httpx2.ReadError),
        (OK.replace(b"2\r", b"9\r"), httpx2.ReadError),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nok", httpx2.ReadError),
    ],
)
async def test_a_connection_that_broke_is_no_timeout_and_may_be_charged(reply, kind, post):
    async with raw_server(reply) as port, make_client(busy=1) as client:
        with pytest.raises(kind) as raised:
            await post(client, f"http://127.0.0.1:{port}/")
    assert not never_connected(raised.value)
    assert not isinstance(raised.value, httpx2.TimeoutException)


async def test_a_compressed_reply_is_read_whole_and_as_a_stream(post):
    packed = gzip.compress(b"ok")
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nconnection: close\r\ncontent-length: {len(packed)}\r\n\r\n"
    async with raw_server(head.encode() + packed) as port, make_client(busy=1) as client:
        assert (await post(client, f"http://127.0.0.1:{port}/")).text == "ok"
        reply = await post_body(client, f"http://127.0.0.1:{port}/", [], b"{}", stream=True)
        assert [piece async for piece in reply.aiter_text()] == ["ok"]


@pytest.mark.parametrize(
    ("address", "kind", "root"),
    [
        ("http://127.0.0.1:9/", httpx2.ConnectError, ConnectionRefusedError),
        ("http://no.invalid/", httpx2.ConnectError, socket.gaierror),
        ("https://127.0.0.1:{port}/", httpx2.ConnectError, ssl.SSLError),
        ("gateway.corp/v1", httpx2.UnsupportedProtocol, type(None)),
        ("ftp://127.0.0.1/", httpx2.UnsupportedProtocol, type(None)),
    ],
)
async def test_what_never_connected_says_why(scripted, address, kind, root, post):
    async with make_client(busy=1) as client:
        with pytest.raises(kind) as raised:
            await post(client, address.format(port=httpx2.URL(scripted.url).port))
    assert never_connected(raised.value)
    cause = raised.value.__cause__
    assert isinstance(cause and (cause.__cause__ or cause), root)


async def test_a_server_that_never_speaks_tls_is_given_up(monkeypatch, post):
    monkeypatch.setattr("fusion_tool.models.http._CONNECT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with make_client(busy=1) as client:
            with pytest.raises(httpx2.ConnectTimeout):
                await post(client, f"https://127.0.0.1:{silent.getsockname()[1]}/")


async def test_the_environments_proxy_is_asked_with_its_password_and_not_for_this_machine(
    monkeypatch, scripted, post, ask
):
    asked = []
    async with raw_server(OK, asked) as port:
        monkeypatch.setenv("HTTP_PROXY", f"http://user:word@127.0.0.1:{port}")
        monkeypatch.setenv("http_proxy", f"http://user:word@127.0.0.1:{port}")
        monkeypatch.setenv("NO_PROXY", "inside.invalid")
        async with make_client(busy=9) as client:
            assert (await post(client, "http://away.invalid/v1")).text == "ok"
            assert await ask(client, scripted) == 200
            with pytest.raises(httpx2.ConnectError):
                await post(client, "http://inside.invalid/v1")
    assert len(asked) == 1
    assert asked[0].startswith("POST http://away.invalid/v1 HTTP/1.1")
    assert base64.b64encode(b"user:word").decode() in asked[0]


async def test_tls_goes_through_a_tunnel_of_the_proxy(monkeypatch, post):
    asked = []
    async with raw_server(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n", asked) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        async with make_client(busy=1) as client:
            with pytest.raises(httpx2.ProxyError, match="407"):
                await post(client, "https://away.invalid/v1")
    assert asked[0].startswith("CONNECT away.invalid:443 HTTP/1.1")


def test_a_socks_proxy_is_left_to_httpx2(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.setattr(httpx2, "AsyncClient", lambda **_: "its own")
    assert make_client(busy=1) == "its own"
