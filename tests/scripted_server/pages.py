"""What a page of the scripted web serves, as values."""

import zlib
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias

from tests.scripted_server.client import Client
from tests.scripted_server.request import Request

HTML = "text/html; charset=utf-8"
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Page:
    """A page with a length; `headers` may say anything of it, true or not."""

    body: str | bytes = b""
    status: int = 200
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endless:
    """A body that never ends."""

    chunk: bytes = b"<p>and so on</p>\n" * 1000
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trickle:
    """A body that comes a byte at a time, `interval` seconds apart."""

    body: bytes = b"<p>slow</p>" * 1000
    interval: float = 1.0
    content_type: str = HTML


@dataclass(frozen=True, slots=True)
class Bomb:
    """A valid gzip page of `megabytes` MiB of zeros, made while it is sent: a thousandth of that on the wire."""

    megabytes: int = 2048
    content_type: str = HTML


Served: TypeAlias = Page | Endless | Trickle | Bomb
Paged: TypeAlias = Served | str | bytes | Callable[[Request], "Served | str | bytes"]


def redirect(to: str, status: int = 302) -> Page:
    """A redirect to `to`, an absolute URL or a path."""
    return Page(status=status, headers={"location": to})


async def serve(client: Client, served: Served) -> None:
    """Send `served`. Raises Gone where the client leaves before its end."""
    if isinstance(served, Page):
        body = served.body.encode() if isinstance(served.body, str) else served.body
        length = {"content-type": served.content_type, "content-length": str(len(body))}
        await client.start(served.status, {**length, **served.headers})
        await client.end(body)
        return
    encoding = {"content-encoding": "gzip"} if isinstance(served, Bomb) else {}
    headers = served.headers if isinstance(served, Endless) else {}
    await client.start(200, {"content-type": served.content_type, **encoding, **headers})
    async with aclosing(_parts(client, served)) as parts:
        async for part in parts:
            await client.write(part)
            await client.turn()
    await client.end()


async def _parts(client: Client, served: Endless | Trickle | Bomb) -> AsyncGenerator[bytes, None]:
    match served:
        case Endless():
            while True:
                yield served.chunk
        case Trickle():
            for byte in served.body:
                yield bytes([byte])
                await client.pause(served.interval)
        case Bomb():
            for part in _gzipped_zeros(served.megabytes):
                yield part


def _gzipped_zeros(megabytes: int) -> Iterator[bytes]:
    """One gzip member (RFC 1952): a full flush makes every block alike, so one is made and sent over and over."""
    yield b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    checksum = 0
    for _ in range(megabytes):
        checksum = zlib.crc32(_zeros(), checksum)
        yield _deflated_zeros()
    yield b"\x03\x00" + checksum.to_bytes(4, "little") + (megabytes * _BLOCK % (1 << 32)).to_bytes(4, "little")


@cache
def _zeros() -> bytes:
    return bytes(_BLOCK)


@cache
def _deflated_zeros() -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflate.compress(_zeros()) + deflate.flush(zlib.Z_FULL_FLUSH)
