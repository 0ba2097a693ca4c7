"""The files handed into a sandbox: read by us, so that the sandbox needs no way to the host's."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from fusion_tool.errors import ConfigError

_NAME_BYTES = 255  # NAME_MAX of Linux file systems


def read_inputs(files: Mapping[str, Path | bytes], limit: int) -> dict[str, bytes]:
    """Read what is handed in.

    Args:
        files: Relative name below `/input` -> content, or the host file that holds it.
        limit: Bytes that all of them may have together.

    Raises:
        ConfigError: A name that leaves `/input`, a symbolic link or anything else that is no plain file, an
            unreadable file, or more than `limit` bytes.
    """
    contents: dict[str, bytes] = {}
    left = limit
    for name, source in files.items():
        _check_name(name)
        content = source if isinstance(source, bytes) else _read(name, source, left + 1)
        left -= len(content)
        if left < 0:
            raise ConfigError(f"more than {limit} bytes handed in; raise input_mb", field=_field(name))
        contents[name] = content
    return contents


def _field(name: str) -> str:
    return f"files[{name!r}]"


def _check_name(name: str) -> None:
    # "a//b" and "./a" are refused too: one name, one file
    parts = name.split("/")
    plain = all(part not in {"", ".", ".."} and len(os.fsencode(part)) <= _NAME_BYTES for part in parts)
    if not plain or not name.isprintable() or str(PurePosixPath(name)) != name:
        raise ConfigError("use a plain relative name without '..'", field=_field(name))


def _read(name: str, path: Path, at_most: int) -> bytes:
    # a link inside somebody's folder could name any file of ours; NONBLOCK: a pipe must not hold us up
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "is a symbolic link" if path.is_symlink() else (error.strerror or "cannot be read")
        raise ConfigError(f"{path} {reason}; hand in a plain file", field=_field(name)) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError(f"{path} is no plain file; hand in a plain file", field=_field(name))
    with os.fdopen(descriptor, "rb") as file:
        return file.read(at_most)
