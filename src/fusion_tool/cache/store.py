"""The file of results in the user's cache folder. It holds questions and answers, and no keys."""

import json
import logging
import threading
from pathlib import Path
from typing import Any

from fusion_tool.cache.key import today
from fusion_tool.database import UNUSABLE, in_database
from fusion_tool.result import FusionResult

_SCHEMA = "CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, day TEXT NOT NULL, result TEXT NOT NULL);"
_log = logging.getLogger(__name__)
_warned = threading.Event()


def default_path() -> Path:
    """`results.sqlite` in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("fusion-tool") / "results.sqlite"


def kept(key: str) -> dict[str, Any] | None:
    """The result stored under `key`; `None` where there is none, or the file is of no use."""
    path = default_path()
    try:
        if not path.exists():
            return None
        query = "SELECT result FROM results WHERE key = ?"
        row = in_database(path, _SCHEMA, lambda connection: connection.execute(query, (key,)).fetchone())
    except UNUSABLE as error:
        _warn(path, error)
        return None
    try:
        return None if row is None else FusionResult.model_validate_json(row[0]).model_dump(mode="json")
    except ValueError:  # of another shape
        return None


def keep(key: str, result: dict[str, Any]) -> None:
    """Store `result`, and drop those of earlier days, which nobody can ask for any more."""
    path, day, text = default_path(), today(), json.dumps(result)
    try:
        with_day = "INSERT OR REPLACE INTO results (key, day, result) VALUES (?, ?, ?)"

        def write(connection: Any) -> None:
            connection.execute(with_day, (key, day, text))
            connection.execute("DELETE FROM results WHERE day < ?", (day,))

        in_database(path, _SCHEMA, write)
    except UNUSABLE as error:
        _warn(path, error)


def _warn(path: Path, error: Exception) -> None:
    if not _warned.is_set():
        _warned.set()
        _log.warning("the response cache is left out, %s is of no use: %s", path, error)
