"""The shared database, PostgreSQL: for kept runs, their locks, and whatever else processes and machines share."""

from fusion_tool.config.database.connection import as_unavailable, cause_of, is_lost
from fusion_tool.config.database.shared import (
    VARIABLE,
    Database,
    database_address,
    open_connection,
    open_database,
    read_state,
)

__all__ = [
    "VARIABLE",
    "Database",
    "as_unavailable",
    "cause_of",
    "database_address",
    "is_lost",
    "open_connection",
    "open_database",
    "read_state",
]
