"""The text of a PDF; runs in the worker."""

from typing import Any

from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.hyphens import join_divided_words

MAX_BYTES = 32 << 20
_SCANNED = 5
"""How many pages of a file without text are looked at for pictures."""


def read_pdf(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return the title and the text of a PDF.

    Args:
        data: The file.
        max_chars: The most characters of text; no page after them is read.

    Raises:
        ExtractionError: The file is broken or encrypted, or no page of it can be read.
    """
    import pypdfium2

    try:
        document: Any = pypdfium2.PdfDocument(data)  # type: ignore[no-untyped-call] # it has no types
    except pypdfium2.PdfiumError as error:
        raise ExtractionError(f"the PDF cannot be opened: {error}") from error
    pages = len(document)
    texts: list[str] = []
    failures = length = 0
    for number in range(pages):
        try:
            texts.append(_page_text(document, number))
        # One bad page must not cost the others; a file of nothing else is reported below.
        except pypdfium2.PdfiumError:
            failures += 1
            continue
        length += len(texts[-1])
        if length >= max_chars:
            break
    title = _title(document)
    pictures = not any(texts) and any(_has_picture(document, number) for number in range(min(pages, _SCANNED)))
    document.close()
    if failures == pages:
        raise ExtractionError("no page of the PDF can be read")
    text = join_divided_words("\n\n".join(text for text in texts if text)[:max_chars])
    if not text.strip():
        raise ExtractionError(
            "the PDF is a scan: its pages are pictures without text" if pictures else "the PDF holds no text"
        )
    return title, text


def _has_picture(document: Any, number: int) -> bool:
    import pypdfium2

    picture = 3  # FPDF_PAGEOBJ_IMAGE
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return False
    try:
        return next(iter(page.get_objects(filter=[picture])), None) is not None
    finally:
        page.close()


def _title(document: Any) -> str:
    # pypdfium2 decodes metadata strictly, and a file may hold any bytes there.
    try:
        return " ".join(document.get_metadata_value("Title").split())
    except UnicodeDecodeError:
        return ""


def _page_text(document: Any, number: int) -> str:
    # Closed by hand, page by page: PDFium's memory is outside Python's, and would grow with the file until the end.
    page = document[number]
    try:
        words = page.get_textpage()
        try:
            lines = words.get_text_bounded(errors="replace").replace("\r\n", "\n").splitlines()
        finally:
            words.close()
    finally:
        page.close()
    return "\n".join(line.strip() for line in lines).strip()
