"""Small hostile servers on loopback, a resolver that lies, and an extraction that only decodes."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Self

import pytest

from fusion_tool.tools.extraction.content import Extracted

Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes = b"", *, status: str = "200 OK", headers: str = "Content-Type: text/plain\r\n") -> bytes:
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def redirect(location: str) -> bytes:
    return response(status="302 Found", headers=f"Location: {location}\r\n")


@dataclass
class Site:
    """A server whose every path answers with given bytes, or with whatever a coroutine writes."""

    pages: dict[str, Reply] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    open: list[tuple[asyncio.Task, asyncio.StreamWriter]] = field(default_factory=list)
    port: int = 0

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    @property
    def opened(self) -> tuple[str, ...]:
        return (f"127.0.0.1:{self.port}",)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.append((asyncio.current_task(), writer))
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            reply = self.pages.get(head.split()[1].partition("?")[0], response(status="404 Not Found"))
            if isinstance(reply, bytes):
                writer.write(reply)
            else:
                await reply(writer)
            await writer.drain()
        writer.close()

    async def __aenter__(self) -> Self:
        self.server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error) -> None:
        self.server.close()
        for task, writer in self.open:
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*(task for task, _ in self.open), return_exceptions=True)
        for _, writer in self.open:
            with suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with Site() as site:
        yield site


@dataclass
class Dns:
    """Names and their answers, one list a lookup; the last one stays."""

    answers: dict[str, list[list[str]]] = field(default_factory=dict)
    lookups: list[str] = field(default_factory=list)

    def __call__(self, name, port, *_flags):
        if _is_literal(name):
            return [_info(name, port)]
        self.lookups.append(name)
        if name not in self.answers:
            raise socket.gaierror(f"no such name: {name}")
        queue = self.answers[name]
        return [_info(ip, port) for ip in (queue.pop(0) if len(queue) > 1 else queue[0])]


def _is_literal(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _info(ip: str, port: int):
    address, _, zone = ip.partition("%")
    if ":" in ip:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, int(zone or 0))
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)


@pytest.fixture
def dns(monkeypatch) -> Dns:
    dns = Dns()
    install_resolver(monkeypatch, dns)
    return dns


def install_resolver(monkeypatch, resolver) -> None:
    """Only for the guard: pytest-socket keeps a guard of its own on `socket.getaddrinfo` itself."""
    monkeypatch.setattr("ssrfguard._resolve.socket", SimpleNamespace(**vars(socket) | {"getaddrinfo": resolver}))


@pytest.fixture
def plain_extraction(monkeypatch) -> Iterator[None]:
    """Bytes are text: what becomes of HTML and PDF is another part's business."""

    async def extract(data: bytes, *, content_type: str, url: str | None = None):
        assert content_type is not None
        assert url is not None
        return Extracted(title="", text=data.decode(errors="replace"))

    monkeypatch.setattr("fusion_tool.tools.extraction.extract.extract", extract)
    return None
