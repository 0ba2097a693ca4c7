"""The documents of the user's folder, and the key of each.

A file's key is its relative path, percent-encoded from the bytes of its name. It is plain ASCII whatever the name is,
unique, and the path of the source's URL; a name need not be UTF-8, and two that look alike need not be the same.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from time import time_ns
from urllib.parse import quote, unquote

from fusion_tool.errors import ConfigError

CONTENT_TYPES = {
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
}
MAX_BYTES = 32 << 20
"""A larger file is not read."""

# A file that was changed this recently may change again without its times showing it: FAT's clock has steps of 2 s.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document of the folder.

    Args:
        key: Its percent-encoded relative path, with `/`.
        path: The path of the file itself, links resolved.
        size: In bytes.
        signature: Size, times and inode, which differ where the bytes may differ; empty where that cannot be told.
        problem: The reason for which it cannot be indexed; `None` where there is none.
    """

    key: str
    path: Path
    size: int = 0
    signature: str = ""
    problem: str | None = None

    @property
    def name(self) -> str:
        """The file's name as it can be shown."""
        return unquote(self.key.rpartition("/")[2], errors="replace")

    @property
    def content_type(self) -> str:
        """The media type by the file's name; for a link by its own name, not by its target's."""
        return CONTENT_TYPES[_suffix(self.name)]


def readable_folder(folder: Path) -> Path:
    """Return the real path of `folder`.

    Raises:
        ConfigError: It does not exist, is no folder, or cannot be read.
    """
    try:
        real = Path(folder).expanduser().resolve(strict=True)
        with os.scandir(real):
            return real
    except (OSError, RuntimeError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read the folder {str(folder)!r} ({cause})", field="documents") from error


def key_of(path: Path, root: Path) -> str:
    """Return the key of the file at `path` below `root`."""
    return quote(os.fsencode(path.relative_to(root).as_posix()))


def list_documents(root: Path) -> Iterator[DocumentFile]:
    """Yield every document below `root`, in a stable order; hidden files and folders are left out.

    Links to folders are not followed, links to files only where they stay inside `root`.
    """
    # `os.walk` passes over a folder that it cannot read in silence, unless it is told where to put the error.
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(root, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _suffix(name) in CONTENT_TYPES:
                yield _check_file(Path(parent, name), root)
    for error in unreadable:
        path = Path(error.filename)
        yield DocumentFile(key_of(path, root), path, problem=f"cannot be read ({error.strerror})")


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _check_file(path: Path, root: Path) -> DocumentFile:
    """Return the document at `path`, with its problem if it has one."""
    key = key_of(path, root)
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError) as error:
        return DocumentFile(key, path, problem=f"cannot be read ({getattr(error, 'strerror', None) or error})")
    # A folder that was unpacked from somewhere may hold a link to the user's keys, and its text goes to providers.
    if not real.is_relative_to(root):
        return DocumentFile(key, path, problem="is a link that leaves the folder")
    if not stat.S_ISREG(status.st_mode):
        return DocumentFile(key, path, problem="is not a regular file")
    if status.st_size > MAX_BYTES:
        return DocumentFile(key, path, problem=f"is larger than {MAX_BYTES >> 20} MB")
    # The change time as well, which no program can set back as it can the time of modification.
    changed_at = max(status.st_mtime_ns, status.st_ctime_ns)
    is_settled = changed_at + _SETTLED_NS < time_ns()
    signature = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}" if is_settled else ""
    return DocumentFile(key, real, status.st_size, signature)
