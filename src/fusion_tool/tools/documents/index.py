"""`open_index` and `DocumentIndex`: full-text search in the user's folder.

`folder` lists its documents, `refresh` brings the index up to date, and `store` is the SQLite file.
"""

import asyncio
import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from unicodedata import normalize

from fusion_tool.config.storage import cache_path, wait_for_lock
from fusion_tool.errors import ConfigError
from fusion_tool.grounding.sources import RetrievedSource, make_source
from fusion_tool.tools.documents import store
from fusion_tool.tools.documents.folder import readable_path
from fusion_tool.tools.documents.refresh import RefreshResult, refresh
from fusion_tool.tools.documents.store import ChunkHit, DocumentCoverage, Skipped

# A decimal is one string, a phrase to FTS5: its parts alone would match any number with these digits.
_WORD = re.compile(r"\d+(?:[.,]\d+)+|\w+")
_MAX_WORDS = 32

_STOP_WORD_LIST = (
    "a about after all also an and any are as at be because been before being but by can could did do does "
    "doing down for from had has have having he her here hers him his how i if in into is it its just me "
    "more most my no nor not of off on once only or other our out over own s same she should so some such t "
    "than that the their them then there these they this those through to too under until up very was we "
    "were what when where which while who whom why will with would you your"
)
_STOP_WORDS = frozenset(_STOP_WORD_LIST.split())


def fts_query(question: str) -> str | None:
    """Return the FTS5 expression for `question`; `None` where it holds no word at all.

    Stop words are left out unless there is nothing else. Quoting makes every word a string
    (https://www.sqlite.org/fts5.html#full_text_query_syntax), so that nothing a model writes is read as an operator.
    """
    words = list(dict.fromkeys(_WORD.findall(normalize("NFC", question.lower()))))
    content_words = [word for word in words if word not in _STOP_WORDS] or words
    # OR, since a model's query is a sentence, of which no passage has all words; BM25 puts those with most first.
    return " OR ".join(f'"{word}"' for word in content_words[:_MAX_WORDS]) or None


_CANDIDATES = 200
"""Chunks that a search takes; so many that one long document cannot crowd out the others."""

_GAP = "\n[...]\n"


@dataclass(frozen=True, slots=True)
class DocumentIndex:
    """The index of the user's documents, which any thread and any event loop may search.

    Args:
        roots: The folders and files, real paths.
        path: The index file.
        document_count: The number of documents that it held when it was opened.
        skipped: The documents that were left out, each with the reason.
    """

    roots: tuple[Path, ...]
    path: Path
    document_count: int
    skipped: tuple[Skipped, ...] = ()

    async def search(self, query: str, limit: int = 6, *, max_chars: int = 1600) -> list[RetrievedSource]:
        """Return the documents that match `query` best, best first.

        A document is one source, so that it comes once, with its best chunks (of 60 to 120 words each) in the order of
        the text. For a small context request few documents and `max_chars` of about 600, which is one chunk.

        Args:
            query: Words in any form; FTS5's own syntax has no meaning here.
            limit: The most documents.
            max_chars: The most characters of one document's excerpt.
        """
        expression = fts_query(query)
        if expression is None or limit < 1 or max_chars < 1:
            return []
        try:
            hits = await asyncio.to_thread(store.search_chunks, self.path, expression, _CANDIDATES)
        # The file was damaged or removed since it was opened, by another process or by hand; it can be made anew.
        except sqlite3.DatabaseError:
            await _refresh(self.roots, self.path, None)
            hits = await asyncio.to_thread(store.search_chunks, self.path, expression, _CANDIDATES)
        documents: dict[str, list[ChunkHit]] = {}
        for hit in hits:
            documents.setdefault(hit.key, []).append(hit)
        return [self._to_source(chunks, max_chars) for chunks in list(documents.values())[:limit]]

    def coverage(self) -> DocumentCoverage:
        """Return what of the user's documents can be searched, as plain data."""
        return DocumentCoverage(indexed=self.document_count, skipped=[skipped._asdict() for skipped in self.skipped])

    def _to_source(self, hits: list[ChunkHit], max_chars: int) -> RetrievedSource:
        return make_source(f"doc:{hits[0].key}", title=hits[0].title, kind="document", text=_excerpt(hits, max_chars))


async def open_index(
    paths: Sequence[Path], *, cache_dir: Path | None = None, on_progress: Callable[[int, int], None] | None = None
) -> DocumentIndex:
    """Index the documents among `paths` and below them, or what changed of them.

    The formats are those of `CONTENT_TYPES`. Hidden files, links that leave their folder and files above 32 MB stay
    out. Safe while other threads and processes do the same: one works, the others wait for it and then find nothing
    to do.

    Args:
        paths: The user's folders and files.
        cache_dir: Where index files are kept; the user's cache folder by default.
        on_progress: Called with the number of changed documents done and their total.

    Raises:
        ConfigError: A path is missing or unreadable, the cache folder cannot be written, or whatever else keeps the
            index from being made; it names the paths and the cause.
    """
    real = [await asyncio.to_thread(readable_path, path) for path in paths]
    roots = tuple(sorted(set(real)))
    # Outside the user's folders, which may be read-only; by a name that any path can have.
    name = hashlib.sha256(b"\0".join(map(os.fsencode, roots))).hexdigest()[:16]
    path = (cache_dir or cache_path()) / "documents" / f"{name}.sqlite"
    told = ", ".join(repr(str(root)) for root in roots)
    try:
        document_count, skipped = await _refresh(roots, path, on_progress)
    except (OSError, sqlite3.OperationalError) as error:
        cause = f"cannot write the index {str(path)!r} of {told} ({error})"
        raise ConfigError(cause, field="documents") from error
    except Exception as error:  # a run without its documents would look like one with them
        raise ConfigError(f"cannot index {told} ({type(error).__name__}: {error})", field="documents") from error
    return DocumentIndex(roots, path, document_count, tuple(skipped))


async def _refresh(roots: Sequence[Path], path: Path, on_progress: Callable[[int, int], None] | None) -> RefreshResult:
    async with wait_for_lock(path.with_suffix(".lock")):
        return await refresh(roots, path, on_progress)


def _excerpt(hits: list[ChunkHit], max_chars: int) -> str:
    """Return the best chunks that fit into `max_chars`, in the order of the text; the best is cut if it must be."""
    best, *rest = hits
    selection, room = [best], max_chars - len(best.text)
    if room < 0:
        return best.text[:max_chars].rsplit(maxsplit=1)[0]
    for hit in rest:
        if (length := len(hit.text) + len(_GAP)) <= room:
            selection.append(hit)
            room -= length
    selection.sort(key=attrgetter("place"))
    # In a run of neighbours place and index grow alike, and their difference stays; a gap changes it.
    runs = groupby(enumerate(selection), key=lambda row: row[1].place - row[0])
    return _GAP.join("\n".join(hit.text for _, hit in run) for _, run in runs)
