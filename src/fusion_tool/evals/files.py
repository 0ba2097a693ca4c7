"""How a results folder is written: by one process at a time, and never half."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from fusion_tool.errors import ConfigError
from fusion_tool.evals.journal import unwritable
from fusion_tool.lock import acquired
from fusion_tool.private import make_private_folder


@contextmanager
def working_on(folder: Path) -> Iterator[None]:
    """Work on `folder`, and nobody else.

    Raises:
        ConfigError: Somebody else does.
        FusionError: It cannot be written.
    """
    try:
        lock = acquired(folder / "lock")
    except (OSError, sqlite3.Error) as error:
        raise unwritable(folder, str(error)) from error
    if lock is None:
        raise ConfigError(f"another process is at work on {folder}; wait for it, or give another folder", field="out")
    with closing(lock):
        yield


def write(path: Path, text: str) -> None:
    """Replace a file's text, whole or not at all.

    Raises:
        FusionError: It cannot be written.
    """
    try:
        make_private_folder(path.parent)
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
        raise unwritable(path, error.strerror or str(error)) from error
