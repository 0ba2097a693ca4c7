"""The index file, a SQLite database: the documents, and their chunks in an FTS5 table.

A chunk's row id is its document's number times 65,536 plus its own place in the document: apart from its words, an FTS5
table can be searched by row id alone, and a document's chunks are then one range.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from typing_extensions import TypedDict

from fusion_tool.config.storage import make_private

_VERSION = 2
_SCHEMA = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, signature TEXT NOT NULL, hash TEXT NOT NULL,
    title TEXT NOT NULL, problem TEXT);
CREATE VIRTUAL TABLE IF NOT EXISTS chunks USING fts5(
    title, text, tokenize = 'porter unicode61 remove_diacritics 2');
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_MAX_CHUNKS = 1 << 16
_BUSY_SECONDS = 30.0
_RANK = "bm25(3.0, 1.0)"
"""The weights of an FTS5 rank, by column: a word of the title counts three times as much as one of the text."""


class Skipped(NamedTuple):
    """A document that is not in the index: its relative path as it can be shown, and the reason."""

    path: str
    reason: str


class DocumentCoverage(TypedDict):
    """How many documents can be searched, and which were left out, each with its path and the reason."""

    indexed: int
    skipped: list[dict[str, str]]


class IndexedDocument(NamedTuple):
    """A document as the index has it; `problem` is the reason for which it has no chunks, else `None`."""

    signature: str
    hash: str
    problem: str | None


class DocumentEntry(NamedTuple):
    """A document to write: `chunks` is `None` where only its signature is new."""

    key: str
    signature: str
    hash: str
    title: str
    chunks: list[str] | None
    problem: str | None = None


class ChunkHit(NamedTuple):
    """A chunk that matches; `place` counts the chunks of its document, a lower `score` is better."""

    key: str
    title: str
    place: int
    text: str
    score: float


@contextmanager
def open_connection(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a connection for one thread and one piece of work; committed at the end, rolled back on an error."""
    # A connection's own context ends the transaction, and leaves the connection open: hence `closing` around it.
    with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection, connection:
        # Enough with a write-ahead log: a power cut may lose the last transaction, which the next refresh repeats.
        connection.execute("PRAGMA synchronous = NORMAL")
        yield connection


def ensure_schema(path: Path) -> None:
    """Make the file at `path` a sound index: created where missing, emptied where corrupt or of another version."""
    make_private(path)
    try:
        with open_connection(path) as connection:
            is_sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
            is_current = connection.execute("PRAGMA user_version").fetchone() in {(0,), (_VERSION,)}  # 0: a new file
            if is_sound and is_current:
                connection.executescript(_SCHEMA)
                return
    # A kind of the error below. Locked, read-only or full: another file would be no better.
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        pass  # corrupt, or no database at all: made anew below, as all of it can be read from the folder again
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    make_private(path)
    with open_connection(path) as connection:
        connection.executescript(_SCHEMA)


def read_documents(path: Path) -> dict[str, IndexedDocument]:
    """Return the documents that the index holds, by key."""
    with open_connection(path) as connection:
        rows = connection.execute("SELECT key, signature, hash, problem FROM documents")
        return {key: IndexedDocument(*rest) for key, *rest in rows}


def write(path: Path, entries: Iterable[DocumentEntry]) -> None:
    """Add or replace documents, all or none."""
    with open_connection(path) as connection:
        # The write lock at once: a transaction that begins with reading cannot wait for it later, and fails as busy.
        connection.execute("BEGIN IMMEDIATE")
        for entry in entries:
            if entry.chunks is None:
                update = "UPDATE documents SET signature = ? WHERE key = ?"
                connection.execute(update, (entry.signature, entry.key))
            else:
                _drop(connection, entry.key)
                _insert(connection, entry, entry.chunks)


def remove(path: Path, keys: Iterable[str]) -> None:
    """Remove documents and their chunks, all or none."""
    with open_connection(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for key in keys:
            _drop(connection, key)


def search_chunks(path: Path, expression: str, limit: int) -> list[ChunkHit]:
    """Return the `limit` chunks that match best, by Okapi BM25 with the title's words weighted threefold.

    Args:
        path: The index file.
        expression: An FTS5 query.
        limit: The most chunks.
    """
    # The best are chosen before the join: FTS5 sorts by `rank` itself only where the query is on its table alone.
    statement = f"""
        WITH best AS (
            SELECT rowid AS row, rank AS score FROM chunks
            WHERE chunks MATCH ? AND rank MATCH ? ORDER BY rank LIMIT ?)
        SELECT key, documents.title, row % {_MAX_CHUNKS}, text, score
        FROM best JOIN chunks ON chunks.rowid = row JOIN documents ON documents.id = row / {_MAX_CHUNKS}
        ORDER BY score, row"""  # noqa: S608 - a constant
    with open_connection(path) as connection:
        return [ChunkHit(*row) for row in connection.execute(statement, (expression, _RANK, limit))]


def _insert(connection: sqlite3.Connection, entry: DocumentEntry, chunks: list[str]) -> None:
    inserted = connection.execute(
        "INSERT INTO documents (key, signature, hash, title, problem) VALUES (?, ?, ?, ?, ?)",
        (entry.key, entry.signature, entry.hash, entry.title, entry.problem),
    )
    rows = enumerate(chunks[:_MAX_CHUNKS], start=(inserted.lastrowid or 0) * _MAX_CHUNKS)
    connection.executemany(
        "INSERT INTO chunks (rowid, title, text) VALUES (?, ?, ?)",
        ((row, entry.title, chunk) for row, chunk in rows),
    )


def _drop(connection: sqlite3.Connection, key: str) -> None:
    row = connection.execute("SELECT id FROM documents WHERE key = ?", (key,)).fetchone()
    if row is not None:
        first = row[0] * _MAX_CHUNKS
        connection.execute("DELETE FROM chunks WHERE rowid BETWEEN ? AND ?", (first, first + _MAX_CHUNKS - 1))
        connection.execute("DELETE FROM documents WHERE id = ?", row)
