"""Bring an index up to date with its folder: new and changed documents in, vanished ones out."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from fusion_tool.documents import store
from fusion_tool.documents.chunks import chunked
from fusion_tool.documents.folder import MAX_BYTES, Candidate, candidates
from fusion_tool.documents.store import Entry, Known, Skipped
from fusion_tool.extraction import ExtractionFailed, extract

_log = logging.getLogger(__name__)

_BATCH_FILES, _BATCH_BYTES = 64, 8 << 20


class Refreshed(NamedTuple):
    """How many documents the index now holds, and which were left out."""

    held: int
    skipped: list[Skipped]


async def refresh(root: Path, path: Path, on_progress: Callable[[int, int], None] | None) -> Refreshed:
    """Index what changed below `root` into the file at `path`; the caller holds the lock.

    Args:
        root: The folder, a real path.
        path: The index file; created or rebuilt where needed.
        on_progress: Called with the number of changed documents done and their total.
    """
    await asyncio.to_thread(store.ensure, path)
    known = await asyncio.to_thread(store.known_documents, path)
    found = await asyncio.to_thread(lambda: list(candidates(root)))
    problems: dict[str, str | None] = {one.key: one.problem for one in found if one.problem is not None}
    sound = [one for one in found if one.problem is None]
    changed = [one for one in sound if not one.signature or one.signature != _signature(known.get(one.key))]
    skipped: dict[str, str | None] = {
        key: before.problem for key, before in known.items() if before.problem is not None
    }
    done = 0
    for batch in _batches(changed):
        entries = await asyncio.gather(*(_entry(one, known.get(one.key), problems) for one in batch))
        await asyncio.to_thread(store.write, path, [entry for entry in entries if entry is not None])
        skipped |= {entry.key: entry.problem for entry in entries if entry and entry.chunks is not None}
        done += len(batch)
        if on_progress is not None:
            on_progress(done, len(changed))
    present = {one.key for one in sound} - problems.keys()
    await asyncio.to_thread(store.remove, path, known.keys() - present)
    skipped = {key: problem for key, problem in skipped.items() if key in present} | problems
    left_out = {key: problem for key, problem in skipped.items() if problem is not None}
    return Refreshed(len(present - left_out.keys()), [_warned(*one) for one in sorted(left_out.items())])


def _signature(known: Known | None) -> str | None:
    return known.signature if known else None


def _batches(changed: list[Candidate]) -> Iterator[list[Candidate]]:
    batch: list[Candidate] = []
    for one in changed:
        if batch and (len(batch) == _BATCH_FILES or sum(b.size for b in batch) + one.size > _BATCH_BYTES):
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


async def _entry(one: Candidate, before: Known | None, problems: dict[str, str | None]) -> Entry | None:
    """What to write for a document; `None`, and a line in `problems`, where it cannot be read."""
    try:
        data = await asyncio.to_thread(_read, one.path)
    except OSError as error:
        problems[one.key] = f"cannot be read ({error.strerror})"
        return None
    digest = hashlib.sha256(data).hexdigest()
    if before is not None and before.hash == digest:
        return Entry(one.key, one.signature, digest, title="", chunks=None)
    try:
        extracted = await extract(data, content_type=one.content_type)
    except ExtractionFailed as error:
        return Entry(one.key, one.signature, digest, one.name, chunks=[], problem=str(error))
    chunks = await asyncio.to_thread(chunked, extracted.text)
    problem = None if chunks else "holds no text"
    return Entry(one.key, one.signature, digest, extracted.title or one.name, chunks, problem)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES)


def _warned(key: str, problem: str) -> Skipped:
    skipped = Skipped(unquote(key, errors="replace"), problem)
    _log.warning("documents: %s %s; it is left out", *skipped)
    return skipped
