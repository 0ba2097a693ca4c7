"""What was measured of the user's own models, kept between processes: a row for each model and fact.

A small database in the user's data folder, written by several processes at once.
"""

import json
import logging
import sqlite3
from typing import Any

from fusion_tool.config.storage import STORAGE_ERRORS, data_path, with_database
from fusion_tool.config.system import failure_text
from fusion_tool.models.identity import ModelIdentity

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (
    model TEXT NOT NULL, fact TEXT NOT NULL, version TEXT, value TEXT NOT NULL, PRIMARY KEY (model, fact)
)
"""
_log = logging.getLogger(__name__)


def read_fact(identity: ModelIdentity, fact: str) -> Any:
    """Return what was measured of a model; `None` where nothing was, or of another model that had its place.

    Args:
        identity: The model as it is now.
        fact: Which measurement.
    """

    def read(connection: sqlite3.Connection) -> Any:
        return connection.execute(
            "SELECT version, value FROM facts WHERE model = ? AND fact = ?", (identity.key, fact)
        ).fetchone()

    path = data_path("models.sqlite")
    if not path.exists():
        return None
    try:
        row = with_database(path, _SCHEMA, read)
        return json.loads(row[1]) if row and identity.may_be(row[0]) else None
    except (*STORAGE_ERRORS, ValueError) as error:
        _log.warning("what is known of %s cannot be read: %s", identity.key, failure_text(error))
        return None


def write_fact(identity: ModelIdentity, fact: str, value: Any) -> None:
    """Keep what was measured of a model; what cannot be written is told, and measured again by the next process.

    Args:
        identity: The model as it was measured.
        fact: Which measurement.
        value: The outcome, as JSON takes it.
    """

    def write(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)",
            (identity.key, fact, identity.version, json.dumps(value)),
        )

    try:
        with_database(data_path("models.sqlite"), _SCHEMA, write)
    except STORAGE_ERRORS as error:
        _log.warning("what was measured of %s cannot be kept: %s", identity.key, failure_text(error))
