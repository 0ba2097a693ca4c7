"""The user's folders and files: which of them are documents, and how each is named.

A file's key is its folder's name and its path there, percent-encoded from the bytes of its name: plain ASCII whatever
the name is, unique, and the path of the source's URL; a name need not be UTF-8, and two that look alike need not be
the same.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from time import time_ns
from urllib.parse import quote, unquote

from fusion_tool.errors import ConfigError
from fusion_tool.tools.extraction.readers.read import CSV, EPUB, NOTEBOOK, OFFICE, TSV

CONTENT_TYPES = {
    ".md": "text/markdown",
    ".txt": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
    ".csv": CSV,
    ".tsv": TSV,
    ".docx": f"{OFFICE}.wordprocessingml.document",
    ".pptx": f"{OFFICE}.presentationml.presentation",
    ".xlsx": f"{OFFICE}.spreadsheetml.sheet",
    ".epub": EPUB,
    ".ipynb": NOTEBOOK,
}
MAX_BYTES = 32 << 20
"""A larger file is not read."""

_MOST_KINDS = 8  # of files that are not read, told about in one folder

# A file that was changed this recently may change again without its times showing it: FAT's clock has steps of 2 s.
_SETTLED_NS = 2_000_000_000


@dataclass(frozen=True, slots=True)
class DocumentFile:
    """A document.

    Args:
        key: The name of its folder and its path there, percent-encoded, with `/`.
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


def readable_path(path: Path) -> Path:
    """Return the real path of a folder or a file.

    Raises:
        ConfigError: It does not exist, or cannot be read.
    """
    try:
        real = Path(path).expanduser().resolve(strict=True)
        if real.is_dir():
            os.scandir(real).close()
        else:
            real.open("rb").close()
    except (OSError, RuntimeError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read {str(path)!r} ({cause})", field="documents") from error
    return real


def list_documents(roots: Sequence[Path]) -> Iterator[DocumentFile]:
    """Return the documents among `roots` and below them, in a stable order; hidden files and folders are left out.

    Links to folders are not followed, links to files only where they stay inside their folder. Files of other kinds
    are told by a row with a `problem` for each kind.

    Args:
        roots: Real paths of folders and files.
    """
    names = Counter[str]()
    for root in roots:
        name = quote(os.fsencode(root.name))
        names[name] += 1
        # Two folders of one name keep apart; the first one's keys do not depend on whether there is a second.
        prefix = name if names[name] == 1 else f"{name}~{names[name]}"
        yield from _below(root, prefix) if root.is_dir() else [_single(root, prefix)]


def _below(root: Path, prefix: str) -> Iterator[DocumentFile]:
    # `os.walk` passes over a folder that it cannot read in silence, unless it is told where to put the error.
    unreadable: list[OSError] = []
    others = Counter[str]()
    for parent, folders, names in os.walk(root, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in names if not name.startswith(".")):
            if _suffix(name) in CONTENT_TYPES:
                path = Path(parent, name)
                yield _check_file(path, root, _key_of(path, root, prefix))
            else:
                others[_suffix(name)] += 1
    for error in unreadable:
        path = Path(error.filename)
        yield DocumentFile(_key_of(path, root, prefix), path, problem=f"cannot be read ({error.strerror})")
    for suffix, count in sorted(others.items(), key=lambda item: (-item[1], item[0]))[:_MOST_KINDS]:
        problem = f"{count} file{'s'[: count > 1]} of a kind that is not read"
        yield DocumentFile(f"{prefix}/{quote(f'*{suffix}', safe='*')}", root, problem=problem)


def _single(path: Path, key: str) -> DocumentFile:
    """Return a file that was named itself: it is told about whatever it is called."""
    if _suffix(path.name) not in CONTENT_TYPES:
        kinds = ", ".join(suffix.removeprefix(".") for suffix in CONTENT_TYPES)
        return DocumentFile(key, path, problem=f"is of a kind that is not read; these are: {kinds}")
    return _check_file(path, path.parent, key)


def _key_of(path: Path, root: Path, prefix: str) -> str:
    return f"{prefix}/{quote(os.fsencode(path.relative_to(root).as_posix()))}"


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower()


def _check_file(path: Path, root: Path, key: str) -> DocumentFile:
    """Return the document at `path`, with its problem if it has one."""
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
