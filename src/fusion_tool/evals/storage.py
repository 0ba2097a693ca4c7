"""Writing of results folders: append-only rows (`Journal`), a lock for each folder, and whole files.

One process writes at a time, and a row is whole or absent, whatever ends the process.
"""

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from fusion_tool.config.storage import make_private, make_private_folder, try_lock
from fusion_tool.errors import ConfigError, FusionError


class Journal:
    """A file of rows as JSON Lines, only ever appended to.

    Args:
        path: The file's path; the file need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self) -> Iterator[str]:
        """Yield the whole rows; a half-written last row, which a killed process left, is skipped.

        Raises:
            FusionError: The file cannot be read.
        """
        try:
            text = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise FusionError(f"{self._path} cannot be read: {error.strerror}") from error
        # Cut and split as bytes: what a killed process left may end inside a character, and would not decode.
        yield from (line.decode() for line in text[: text.rfind(b"\n") + 1].split(b"\n") if line.strip())

    def mend(self) -> None:
        """Cut off what a killed process left half-written, so that the next row begins a line."""
        if not self._path.is_file():
            return
        text = self._path.read_bytes()
        if text and not text.endswith(b"\n"):
            os.truncate(self._path, text.rfind(b"\n") + 1)

    def append(self, row: BaseModel) -> None:
        """Write a row at the end of the file.

        Raises:
            FusionError: The row cannot be written; earlier rows are whole.
        """
        # By the system's own calls: Python's buffer could hold a paid row while the next call is being paid for. A lone
        # half of a character, which JSON may hold, is replaced, as it has no encoding.
        data = memoryview(row.model_dump_json().encode(errors="replace") + b"\n")
        try:
            make_private(self._path)
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
            try:
                _write(file, data)
            finally:
                os.close(file)
        except OSError as error:
            raise unwritable_error(self._path, error.strerror or str(error)) from error


def unwritable_error(path: Path, cause: str) -> FusionError:
    """Return the error for results that cannot be written, for example because the disk is full."""
    return FusionError(
        f"{path} cannot be written: {cause}; what was written before is kept: make room and run the same command again"
    )


def _write(file: int, data: memoryview) -> None:
    size = os.fstat(file).st_size
    try:
        while data:  # a write may take only a part, on a disk that is nearly full
            data = data[os.write(file, data) :]
    except OSError:
        # Best effort: if this fails as well, the reader skips the half row and `mend` cuts it off.
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of `folder`, so that no other process works on it.

    Raises:
        ConfigError: Another process holds the lock.
        FusionError: The folder cannot be written.
    """
    try:
        lock = try_lock(folder / "lock")
    except (OSError, sqlite3.Error) as error:
        raise unwritable_error(folder, str(error)) from error
    if lock is None:
        raise ConfigError(f"another process is at work on {folder}; wait for it, or give another folder", field="out")
    with closing(lock):
        yield


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's text, whole or not at all.

    Raises:
        FusionError: The file cannot be written.
    """
    try:
        make_private_folder(path.parent)
        # In the same folder: a file is replaced in one step only within one file system.
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, encoding="utf-8", errors="replace", delete=False
        ) as part:
            try:
                part.write(text)
                part.flush()
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise
        Path(part.name).replace(path)
    except OSError as error:
        raise unwritable_error(path, error.strerror or str(error)) from error
