"""Messages between parent and worker; the worker's resource limits.

    4 bytes, header's length | 4 bytes, body's length (both big-endian) | header | body

JSON rather than pickle, so that a worker taken over by a hostile file cannot run code in the parent.
"""

import json
import struct
import sys
from typing import IO, Any

_LENGTHS = struct.Struct(">II")
_MAX_HEADER = 1 << 16


class BrokenFrameError(Exception):
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
        BrokenFrameError: The stream ended before or within a message, or a length or the header is wrong.
    """
    head_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    if head_length > _MAX_HEADER or body_length > max_body:
        raise BrokenFrameError("a length is out of bounds")
    try:
        header = json.loads(_exactly(stream, head_length))
    except ValueError as error:
        raise BrokenFrameError("the header is not JSON") from error
    if not isinstance(header, dict):
        raise BrokenFrameError("the header is not an object")
    return header, _exactly(stream, body_length)


def _exactly(stream: IO[bytes], length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise BrokenFrameError("the stream ended")
    return data


_HEADROOM = 68 << 20  # on top of a bare interpreter's 10 MB: the resident peak stays under 80 MB
_WORN = 52 << 20  # freed memory seldom goes back to the system; a worker this large is replaced
_OPEN_FILES = 64

UNNEEDED = (
    *("py3langid", "numpy"),  # the language of a page is not asked for, and numpy alone is more than the headroom
    "cchardet",  # a page comes decoded
    *("brotli", "brotlicffi", "zstandard", "backports.zstd"),  # a body comes decompressed
    "pkg_resources",  # pytz asks it for zones that it has itself
    *("pycurl", "socks"),  # nothing is fetched here
)
"""What the parsers import where it happens to be installed, and do not need."""


def mapped_bytes() -> int | None:
    """Return the size of this process's address space; `None` where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no pathlib in the worker
            pages = int(statm.read().split()[0])
    except (OSError, ValueError):
        return None
    import resource

    return pages * resource.getpagesize()


def block_unneeded_imports() -> None:
    """Let every import of `UNNEEDED` fail as if it were not installed; before the first parser is imported."""
    sys.modules.update(dict.fromkeys(UNNEEDED))  # type: ignore[arg-type] # None is how the import system marks a module as missing


def limit_process() -> int | None:
    """Bound memory, files written and files open for the rest of this process's life.

    Returns:
        The address space in bytes at which the worker is worn out, `None` where no bound on memory works.
    """
    if sys.platform == "win32":
        return None
    import resource

    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    if (bare := mapped_bytes()) is None:
        return None
    _lower(resource.RLIMIT_AS, bare + _HEADROOM)
    return bare + _WORN


def limit_cpu(seconds: float) -> None:
    """End this process by SIGXCPU once it has used `seconds` more of processor time."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _lower(limit: int, value: int) -> None:
    import resource

    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
