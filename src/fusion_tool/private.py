"""Files and folders with somebody's texts in them: readable by their owner alone, and tightened where they were not."""

import logging
from pathlib import Path

_FILE, _FOLDER, _OTHERS = 0o600, 0o700, 0o077
_BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite puts beside a database, with the database's own mode where it is new."""
_log = logging.getLogger(__name__)


def make_private(path: Path) -> None:
    """Make the file where it is missing, with its folders; tighten an existing one, and what SQLite put beside it.

    Raises:
        OSError: It cannot be made.
    """
    make_private_folder(path.parent)
    path.touch(mode=_FILE)
    for file in (path, *(path.with_name(path.name + suffix) for suffix in _BESIDE)):
        _tighten(file, _FILE)


def make_private_folder(folder: Path) -> None:
    """Make the folder where it is missing; tighten an existing one where it is the package's own.

    Raises:
        OSError: It cannot be made.
    """
    from platformdirs import user_cache_path, user_data_path

    lineage = (folder, *folder.parents)
    for missing in reversed([one for one in lineage if not one.exists()]):
        missing.mkdir(mode=_FOLDER, exist_ok=True)
    folder.mkdir(exist_ok=True)  # an error where a file stands in its place
    own = {user_cache_path("fusion-tool"), user_data_path("fusion-tool")}
    if roots := own.intersection(lineage):
        for one in lineage[: lineage.index(roots.pop()) + 1]:
            _tighten(one, _FOLDER)


def _tighten(path: Path, mode: int) -> None:
    try:
        if path.stat().st_mode & _OTHERS:
            path.chmod(mode)
    except FileNotFoundError:
        pass
    except PermissionError:
        _log.warning("others than its owner may read %s, and it is not ours to close", path)
