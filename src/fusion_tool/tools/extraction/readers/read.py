"""`read_document`: a document's title and text, by the reader of its format.

A reader takes the file's bytes and how many characters are wanted at most, and returns title and text. It runs in the
worker, whose limits on memory and time are what holds against a hostile file; what can be refused before it is
unpacked is refused here.
"""

import io
import zipfile
from collections.abc import Callable
from importlib import import_module
from typing import TypeAlias, cast

from fusion_tool.tools.extraction.charset import decode
from fusion_tool.tools.extraction.content import ExtractionError

Reader: TypeAlias = Callable[[bytes, int], tuple[str, str]]

OFFICE = "application/vnd.openxmlformats-officedocument"
"""What the media types of office files begin with."""
EPUB, NOTEBOOK = "application/epub+zip", "application/x-ipynb+json"
CSV, TSV = "text/csv", "text/tab-separated-values"
_READERS = {
    CSV: "tables.read_csv",
    TSV: "tables.read_csv",
    NOTEBOOK: "notebook.read_notebook",
    EPUB: "book.read_book",
    f"{OFFICE}.wordprocessingml.document": "word.read_word",
    f"{OFFICE}.presentationml.presentation": "slides.read_slides",
    f"{OFFICE}.spreadsheetml.sheet": "tables.read_workbook",
}
DOCUMENT_TYPES = frozenset(_READERS)
"""The media types that have a reader here."""

_MAX_UNPACKED = 128 << 20
_MAX_ENTRIES = 20_000


def read_document(media: str, data: bytes, max_chars: int, charset: str | None = None) -> tuple[str, str]:
    """Return the title and the text of a document of type `media`, up to `max_chars` characters.

    Args:
        media: One of `DOCUMENT_TYPES`.
        data: The file.
        max_chars: The most characters of text.
        charset: The label that the server gave a text format; `None` for none.

    Raises:
        ExtractionError: It is broken, encrypted or unpacks to too much, or its reader is not installed.
    """
    if media == EPUB or media.startswith(OFFICE):
        _check_archive(data)
    if media.startswith("text/"):
        data = decode(data, charset).encode("utf-8", "replace")
    module, _, function = _READERS[media].partition(".")
    try:
        reader = cast("Reader", getattr(import_module(f"{__package__}.{module}"), function))
        title, text = reader(data, max_chars)
    except ImportError as error:
        raise ExtractionError(f"needs the extra 'documents': pip install 'fusion-tool[documents]' ({error})") from error
    return " ".join(title.split()), text[:max_chars]


def _check_archive(data: bytes) -> None:
    """Refuse a zip file that says of itself that it unpacks to too much, before anything of it is unpacked.

    A file that lies about it runs into the worker's limits.
    """
    # An encrypted office document is a container of another kind (MS-OFFCRYPTO), known by these bytes.
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise ExtractionError("it is encrypted, or of the format from before 2007; save it anew without a password")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError) as error:
        raise ExtractionError("the file is broken: it is no zip archive") from error
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > _MAX_ENTRIES or unpacked > _MAX_UNPACKED:
        raise ExtractionError(
            f"it unpacks to {unpacked >> 20} MB in {len(entries)} files;"
            f" at most {_MAX_UNPACKED >> 20} MB in {_MAX_ENTRIES} files are read"
        )
