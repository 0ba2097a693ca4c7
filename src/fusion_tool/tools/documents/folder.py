"""The user's folder: which files of it are documents, and how each is named.

A file's key is its relative path, percent-encoded from the bytes of its name: plain ASCII whatever the
name is, unique, and the path of the source's URL.
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

_SETTLED_NS = 2_000_000_000  # a file changed this recently may change again within one tick of its clock


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document of the folder.

    Args:
        key: Its percent-encoded relative path, with `/`.
        path: Where its bytes are.
        size: In bytes.
        signature: Differs where the bytes may differ; `""` where that cannot be told.
        problem: Why it cannot be indexed, `None` where nothing speaks against it.
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
        """What the file's name says that it is; a link is what its own name says, wherever it leads."""
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
    """Return every document below `root`, in a stable order; hidden files and folders are left out.

    Links to folders are not followed, links to files only where they stay inside `root`.
    """
    unreadable: list[OSError] = []
    for parent, folders, names in os.walk(root, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and _suffix(name) in CONTENT_TYPES:
                yield _candidate(Path(parent, name), root)
    for error in unreadable:
        path = Path(error.filename)
        yield DocumentFile(key_of(path, root), path, problem=f"cannot be read ({error.strerror})")


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _candidate(path: Path, root: Path) -> DocumentFile:
    key = key_of(path, root)
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError) as error:
        return DocumentFile(key, path, problem=f"cannot be read ({getattr(error, 'strerror', None) or error})")
    if not real.is_relative_to(root):
        return DocumentFile(key, path, problem="is a link that leaves the folder")
    if not stat.S_ISREG(status.st_mode):
        return DocumentFile(key, path, problem="is not a regular file")
    if status.st_size > MAX_BYTES:
        return DocumentFile(key, path, problem=f"is larger than {MAX_BYTES >> 20} MB")
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    settled = changed + _SETTLED_NS < time_ns()
    signature = f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}" if settled else ""
    return DocumentFile(key, real, status.st_size, signature)
