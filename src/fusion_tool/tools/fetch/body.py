"""HTTP bodies that may be hostile: bounded as sent and as decompressed, and looked at before they are read on."""

import zlib
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from fusion_tool.errors import FusionError, ToolReason

if TYPE_CHECKING:
    from httpx import Response

ACCEPT_ENCODING = "gzip"
"""The one content coding that a request accepts and `read_body` decodes."""
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"

# The content codings that there are (https://www.iana.org/assignments/http-parameters) and that are not decoded here.
# Anything else in the header, such as `utf-8`, `none` or a store's `aws-chunked`, names no coding of these bytes.
_REFUSED = ("br", "zstd", "deflate", "compress", "x-compress", "dcb", "dcz", "exi", "aes128gcm", "pack200-gzip")
_MEGABYTE = 1_000_000


class FetchError(FusionError):
    """A page or an answer that could not be read.

    Args:
        message: Why, in one line that a model may see.
        reason: The kind of failure; `None` where the fault is the caller's own.
    """

    def __init__(self, message: str, reason: ToolReason | None = "unreadable") -> None:
        super().__init__(message)
        self.reason = reason


def status_reason(code: int) -> ToolReason:
    """Return the kind of failure that an HTTP status without success tells."""
    match code:
        case 404 | 410:
            return "not_found"
        case 429:
            return "rate_limited"
        case 408 | 504:
            return "timeout"
        case _:
            return "refused" if code < HTTPStatus.INTERNAL_SERVER_ERROR else "unreachable"


class BodyTooLargeError(FetchError):
    """A body is larger than was allowed."""


async def read_body(
    response: "Response", max_bytes: int, check_head: Callable[[bytes], object] | None = None, head_bytes: int = 0
) -> bytes:
    """Read and decode the body of a streamed response.

    Only gzip is accepted: its decoder can be told how much to return, while a brotli page of 1.6 KB becomes
    2.1 GB in one step. Whether a body is gzip its first bytes tell, since servers declare it wrongly both ways.

    Args:
        response: An open httpx response of which nothing has been read.
        max_bytes: The most bytes, as sent and as decompressed.
        check_head: Called once with the body's beginning, decoded; what it raises ends the download.
        head_bytes: How much of the body, in bytes, `check_head` wants to see.

    Raises:
        FetchError: Too large, an encoding other than gzip, or broken gzip.
    """
    # Checked although the request accepts gzip alone: a server may send what it likes.
    _check_encoding(response.headers.get("content-encoding", ""))
    # Spares the download where the server is honest; the loop below counts for the others.
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)
    body, sent, decoder = bytearray(), 0, _Decoder()
    async for chunk in response.aiter_raw():  # not `aiter_bytes`, which decompresses a chunk to whatever size it has
        sent += len(chunk)
        body += decoder(chunk, max_bytes + 1 - len(body))  # one byte more shows the excess
        if max(sent, len(body)) > max_bytes:
            raise _too_large(max_bytes)
        if check_head is not None and len(body) >= head_bytes:
            check_head(bytes(body[:head_bytes]))
            check_head = None
    body += decoder.finish()
    if check_head is not None:
        check_head(bytes(body[:head_bytes]))
    return bytes(body)


def _check_encoding(header: str) -> None:
    for token in header.lower().split(","):
        # The name is from our own list: the header is the server's text.
        if (name := token.strip()) in _REFUSED:
            raise FetchError(f"content encoding {name} is not accepted")


class _Decoder:
    """A body's bytes, decompressed where they are gzip."""

    def __init__(self) -> None:
        self._start = b""
        self._inflate: _Inflater | None = None
        self._is_told = False

    def __call__(self, data: bytes, limit: int) -> bytes:
        """Decode `data` to at most `limit` bytes of gzip, or return it as it is.

        Raises:
            FetchError: It began like gzip and is not.
        """
        if not self._is_told:
            data = self._start + data
            if len(data) < len(_GZIP_MAGIC):
                self._start = data
                return b""
            self._is_told, self._start = True, b""
            self._inflate = _Inflater() if data.startswith(_GZIP_MAGIC) else None
        return self._inflate(data, limit) if self._inflate else data

    def finish(self) -> bytes:
        """Return what is left at the body's end.

        Raises:
            FetchError: The gzip ends early.
        """
        if self._inflate and not self._inflate.is_complete:
            raise FetchError("the gzip body ends early")
        return self._start


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


def _too_large(max_bytes: int) -> BodyTooLargeError:
    size = f"{max_bytes / _MEGABYTE:g} MB" if max_bytes >= _MEGABYTE else f"{max_bytes} bytes"
    return BodyTooLargeError(f"page larger than {size}")
