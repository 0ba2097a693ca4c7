"""HTTP bodies that may be hostile: bounded as sent and as decompressed, and only of types that hold text.

The type is the declared one; where none is declared, the first bytes tell.
"""

import zlib
from typing import TYPE_CHECKING

from fusion_tool.errors import FusionError
from fusion_tool.events import plain_line
from fusion_tool.tools.extraction.content import parse_content_type

if TYPE_CHECKING:
    from httpx import Response

ACCEPT_ENCODING = "gzip"
"""The one content coding that a request accepts and `read_body` decodes."""
_GZIP = 16 + zlib.MAX_WBITS
_MEGABYTE = 1_000_000


class FetchError(FusionError):
    """A page or an answer that could not be read; the message says why in one line that a model may see."""


async def read_body(response: "Response", max_bytes: int) -> bytes:
    """Read and decode the body of a streamed response.

    Only gzip is accepted: its decoder can be told how much to return, while a brotli page of 1.6 KB becomes
    2.1 GB in one step.

    Args:
        response: An open httpx response of which nothing has been read.
        max_bytes: The most bytes, as sent and as decompressed.

    Raises:
        FetchError: Too large, an encoding other than gzip, or broken gzip.
    """
    # Checked although the request accepts gzip alone: a server may send what it likes. "x-gzip" is gzip's older name
    # (RFC 9110, 8.4.1.3).
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip", "x-gzip"}:
        raise FetchError(f"content encoding {plain_line(encoding)} is not accepted")
    # Spares the download where the server is honest; the loop below counts for the others.
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    inflate = _Inflater() if "gzip" in encoding else None
    body, sent = bytearray(), 0
    async for chunk in response.aiter_raw():  # not `aiter_bytes`, which decompresses a chunk to whatever size it has
        sent += len(chunk)
        body += inflate(chunk, max_bytes + 1 - len(body)) if inflate else chunk  # one byte more shows the excess
        if max(sent, len(body)) > max_bytes:
            raise _too_large(max_bytes)
    if inflate and sent and not inflate.is_complete:
        raise FetchError("the gzip body ends early")
    return bytes(body)


class _Inflater:
    """A gzip decoder whose output is bounded at each call; members may follow one another (RFC 1952, 2.2)."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    @property
    def is_complete(self) -> bool:
        """Whether the last member has ended."""
        return self._member.eof

    def __call__(self, data: bytes, limit: int) -> bytes:
        """Decode `data` to at most `limit` bytes; the rest of it is lost.

        Raises:
            FetchError: It is not valid gzip.
        """
        out = bytearray()
        try:
            while data and len(out) < limit:
                if self._member.eof:
                    self._member = zlib.decompressobj(_GZIP)
                out += self._member.decompress(data, limit - len(out))
                data = self._member.unused_data
        except zlib.error as error:
            raise FetchError("the body is not valid gzip") from error
        return bytes(out)


def _too_large(max_bytes: int) -> FetchError:
    size = f"{max_bytes / _MEGABYTE:g} MB" if max_bytes >= _MEGABYTE else f"{max_bytes} bytes"
    return FetchError(f"page larger than {size}")


_READABLE = {
    "application/json",
    "application/ld+json",
    "application/pdf",
    "application/x-pdf",
    "application/xhtml+xml",
    "application/xml",
    "application/x-ndjson",
    "application/javascript",
    "application/yaml",
}
# What servers send for files of which they know no type.
_UNDECLARED = {"", "application/octet-stream", "binary/octet-stream", "application/download"}
_HEAD = 1024


def check_content_type(content_type: str) -> str:
    """Return `content_type` if text can be made of such a body; called before any of the body is read.

    Raises:
        FetchError: It is an image, an archive or the like.
    """
    media, _ = parse_content_type(content_type)
    if media.startswith("text/") or media.endswith(("+json", "+xml")) or media in _READABLE | _UNDECLARED:
        return content_type
    raise FetchError(f"binary content {plain_line(media)}")


def sniff_content_type(content_type: str, data: bytes) -> str:
    """Return `content_type`, or what `data` looks like where the server declared nothing.

    Raises:
        FetchError: Nothing was declared and the bytes are not text.
    """
    media, _ = parse_content_type(content_type)
    head = data[:_HEAD]
    # Servers send PDFs under any type, text/html among them.
    if head.lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if media not in _UNDECLARED:
        return content_type
    if b"\0" in head:
        raise FetchError(f"binary content {plain_line(media) or 'of no declared type'}")
    return "text/html" if b"<" in head and b">" in head else "text/plain"
