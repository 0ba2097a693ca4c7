"""The messages between the parent and its worker: a JSON header and a body, each behind its length.

    4 bytes, header's length | 4 bytes, body's length (both big-endian) | header | body

JSON rather than pickle, so that a worker taken over by a hostile file cannot run code in the parent.
"""

import json
import struct
from typing import IO, Any

_LENGTHS = struct.Struct(">II")
_MAX_HEADER = 1 << 16


class BrokenFrame(Exception):  # noqa: N818 - says what was read, and never leaves the package
    """The stream ended, or what came is not a frame."""


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes | memoryview) -> None:
    """Write one message and flush it; `OSError` where nobody reads."""
    head = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(head), len(body)) + head)
    stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes], max_body: int) -> tuple[dict[str, Any], bytes]:
    """Read one message whose body is at most `max_body` bytes.

    Raises:
        BrokenFrame: The stream ended before or within a message, or a length or the header is wrong.
    """
    head_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if head_length > _MAX_HEADER or body_length > max_body:
        raise BrokenFrame("a length is out of bounds")
    try:
        header = json.loads(_exactly(stream, head_length))
    except ValueError as error:
        raise BrokenFrame("the header is not JSON") from error
    if not isinstance(header, dict):
        raise BrokenFrame("the header is not an object")
    return header, _exactly(stream, body_length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise BrokenFrame("the stream ended")
    return data
