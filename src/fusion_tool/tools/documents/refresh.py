"""Updates of an index from its folder: new and changed documents are added, vanished ones removed.

A text is cut into chunks of whole paragraphs where these are short, of whole sentences where they are long.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from fusion_tool.tools.documents import store
from fusion_tool.tools.documents.folder import MAX_BYTES, DocumentFile, list_documents
from fusion_tool.tools.documents.store import DocumentEntry, IndexedDocument, Skipped
from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.extract import extract

_MAX_WORDS = 120
_MAX_CHARS = 1000
"""The length of a chunk in scripts without spaces between words."""
_TAIL_WORDS = 40
"""A rest shorter than this joins the chunk before it: alone it would say too little, and match too easily."""

_SENTENCE_END = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+")


def split_chunks(text: str) -> list[str]:
    """Cut `text` into chunks of about 60 to 120 words, none above 160 words; line breaks stay."""
    chunks: list[str] = []
    lines: list[str] = []
    words = chars = 0
    for piece in _pieces(text.replace("\0", " ")):  # SQLite's text ends at a NUL for most of its functions
        count = len(piece.split())
        if lines and (words + count > _MAX_WORDS or chars + len(piece) > _MAX_CHARS):
            chunks.append("\n".join(lines))
            lines, words, chars = [], 0, 0
        lines.append(piece)
        words, chars = words + count, chars + len(piece)
    if lines and chunks and words < _TAIL_WORDS and chars < _MAX_CHARS // 3:
        chunks[-1] += "\n" + "\n".join(lines)
    elif lines:
        chunks.append("\n".join(lines))
    return chunks


def _pieces(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if line := line.strip():
            yield from _split(line) if _is_too_long(line) else [line]


def _split(line: str) -> Iterator[str]:
    """Pack sentences, and the words of a sentence that is too long itself, up to half of a chunk."""
    # Half, so that pieces of a long paragraph combine with each other and with their neighbours to full chunks.
    piece = ""
    for sentence in _SENTENCE_END.split(line):
        for part in _split_words(sentence) if _is_too_long(sentence) else [sentence]:
            if piece and _is_too_long(f"{piece} {part}", share=2):
                yield piece
                piece = part
            else:
                piece = f"{piece} {part}".strip()
    if piece:
        yield piece


def _split_words(sentence: str) -> Iterator[str]:
    words = sentence.split()
    step = _MAX_WORDS // 2
    for start in range(0, len(words), step):
        part = " ".join(words[start : start + step])
        yield from (part[at : at + _MAX_CHARS // 2] for at in range(0, len(part), _MAX_CHARS // 2))


def _is_too_long(text: str, share: int = 1) -> bool:
    return len(text) > _MAX_CHARS // share or len(text.split()) > _MAX_WORDS // share


_log = logging.getLogger(__name__)

# A batch is what is in memory at once, and what is written in one transaction.
_BATCH_FILES, _BATCH_BYTES = 64, 8 << 20


class RefreshResult(NamedTuple):
    """The number of documents that the index now holds, and those that were left out."""

    document_count: int
    skipped: list[Skipped]


async def refresh(roots: Sequence[Path], path: Path, on_progress: Callable[[int, int], None] | None) -> RefreshResult:
    """Index what changed among `roots` into the file at `path`; the caller holds the lock.

    Args:
        roots: Folders and files, real paths.
        path: The index file; created or rebuilt where needed.
        on_progress: Called with the number of changed documents done and their total; `None` for nobody.
    """
    await asyncio.to_thread(store.ensure_schema, path)
    records = await asyncio.to_thread(store.read_documents, path)
    documents = await asyncio.to_thread(lambda: list(list_documents(roots)))
    problems: dict[str, str | None] = {
        document.key: document.problem for document in documents if document.problem is not None
    }
    readable = [document for document in documents if document.problem is None]
    # Without a signature the times prove nothing: such a document is read each time, and compared by its hash.
    candidates = [
        document
        for document in readable
        if not document.signature or document.signature != _signature(records.get(document.key))
    ]
    # A document that could not be extracted stays so until its bytes change.
    failures: dict[str, str | None] = {
        key: record.problem for key, record in records.items() if record.problem is not None
    }
    count = 0
    for batch in _batches(candidates):
        entries = await asyncio.gather(*(_entry(document, records.get(document.key), problems) for document in batch))
        await asyncio.to_thread(store.write, path, [entry for entry in entries if entry is not None])
        failures |= {entry.key: entry.problem for entry in entries if entry and entry.chunks is not None}
        count += len(batch)
        if on_progress is not None:
            on_progress(count, len(candidates))
    # Only now, as reading may have added problems: what is gone or has become unreadable leaves the index.
    present = {document.key for document in readable} - problems.keys()
    await asyncio.to_thread(store.remove, path, records.keys() - present)
    failures = {key: problem for key, problem in failures.items() if key in present} | problems
    left_out = {key: problem for key, problem in failures.items() if problem is not None}
    return RefreshResult(len(present - left_out.keys()), [_skipped(*document) for document in sorted(left_out.items())])


def _signature(record: IndexedDocument | None) -> str | None:
    return record.signature if record else None


def _batches(documents: list[DocumentFile]) -> Iterator[list[DocumentFile]]:
    batch: list[DocumentFile] = []
    for document in documents:
        if batch and (len(batch) == _BATCH_FILES or sum(b.size for b in batch) + document.size > _BATCH_BYTES):
            yield batch
            batch = []
        batch.append(document)
    if batch:
        yield batch


async def _entry(
    document: DocumentFile, record: IndexedDocument | None, problems: dict[str, str | None]
) -> DocumentEntry | None:
    """Return what to write for a document; `None`, with a line in `problems`, where it cannot be read."""
    try:
        data = await asyncio.to_thread(_read, document.path)
    except OSError as error:
        problems[document.key] = f"cannot be read ({error.strerror})"
        return None
    # A copied or touched file has new times and the same bytes: only its signature is written, nothing is extracted.
    digest = hashlib.sha256(data).hexdigest()
    if record is not None and record.hash == digest:
        return DocumentEntry(document.key, document.signature, digest, title="", chunks=None)
    try:
        content = await extract(data, content_type=document.content_type)
    # Written like any other, with its problem: a broken file is not tried again until it changes.
    except ExtractionError as error:
        return DocumentEntry(document.key, document.signature, digest, document.name, chunks=[], problem=str(error))
    chunks = await asyncio.to_thread(split_chunks, content.text)
    problem = None if chunks else "holds no text"
    return DocumentEntry(document.key, document.signature, digest, content.title or document.name, chunks, problem)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _skipped(key: str, problem: str) -> Skipped:
    skipped = Skipped(unquote(key, errors="replace"), problem)
    _log.info("documents: %s %s; it is left out", *skipped)
    return skipped
