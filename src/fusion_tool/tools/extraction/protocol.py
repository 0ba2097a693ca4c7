"""The messages between parent and worker, and the worker's limits on resources.

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
    """The stream ended, or its bytes are no frame."""


def write_frame(stream: IO[bytes], header: dict[str, Any], body: bytes | memoryview) -> None:
    """Write one message and flush it.

    Raises:
        OSError: Nobody reads the stream.
    """
    head = json.dumps(header).encode()
    stream.write(_LENGTHS.pack(len(head), len(body)) + head)
    stream.write(body)
    stream.flush()


def read_frame(stream: IO[bytes], max_body: int) -> tuple[dict[str, Any], bytes]:
    """Read one message.

    Args:
        stream: The pipe.
        max_body: The most bytes of the body.

    Raises:
        BrokenFrameError: The stream ended before or within a message, or a length or the header is wrong.
    """
    head_length, body_length = _LENGTHS.unpack(_exactly(stream, _LENGTHS.size))
    # Before anything of such a length is allocated: the worker may be in the hands of the file that it parses.
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


HEADROOM = {"html": 68 << 20, "pdf": 68 << 20, "document": 192 << 20}
"""Bytes that a worker of each kind may map on top of a bare interpreter's 10 MB.

A page's or PDF's resident peak stays under 80 MB. Office formats are zip archives whose pictures are unpacked too.
"""
_WORN_SHARE = 0.76  # freed memory seldom goes back to the system; a worker this large is replaced
_OPEN_FILES = 64

UNNEEDED = (
    *("py3langid", "numpy"),  # a page's language is not needed, and numpy alone takes more than the headroom
    "cchardet",  # a page comes decoded
    *("brotli", "brotlicffi", "zstandard", "backports.zstd"),  # a body comes decompressed
    "pkg_resources",  # pytz asks it for zones that it has itself
    *("pycurl", "socks"),  # nothing is fetched here
)
"""Packages that the parsers import where they happen to be installed, and do not need."""


def mapped_bytes() -> int | None:
    """Return the size of this process's address space in bytes; `None` where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 - no pathlib in the worker
            pages = int(statm.read().split()[0])
    except (OSError, ValueError):
        return None
    import resource

    return pages * resource.getpagesize()


def block_unneeded_imports() -> None:
    """Let every import of `UNNEEDED` fail as if it were not installed; to be called before a parser is imported."""
    sys.modules.update(dict.fromkeys(UNNEEDED))  # type: ignore[arg-type] # None is how the import system marks a module as missing


def limit_process(headroom: int) -> int | None:
    """Bound memory, files written and files open for the rest of this process's life.

    Args:
        headroom: Bytes that it may map on top of what a bare interpreter has mapped.

    Returns:
        The size of the address space, in bytes, from which on the worker is to be replaced; `None` where memory cannot
        be bounded.
    """
    if sys.platform == "win32":
        return None
    import resource

    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    _lower(resource.RLIMIT_NOFILE, _OPEN_FILES)
    # The address space is what can be limited (RLIMIT_RSS has had no effect since Linux 2.4.30), and an interpreter
    # maps far more than it uses: hence a limit on top of what is mapped now.
    if (bare := mapped_bytes()) is None:
        return None
    _lower(resource.RLIMIT_AS, bare + headroom)
    return bare + int(_WORN_SHARE * headroom)


def limit_cpu(seconds: float) -> None:
    """End this process by SIGXCPU once it has used `seconds` more of processor time."""
    if sys.platform == "win32":
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    # The limit counts from the process's start and in whole seconds; exact is the alarm of the parent.
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _lower(limit: int, value: int) -> None:
    import resource

    # Soft and hard together, so that the process cannot raise them again; above the present hard one is an error.
    hard = resource.getrlimit(limit)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))
