"""Text out of a Word document (ECMA-376, WordprocessingML), with python-docx."""

import io
from collections.abc import Iterator
from typing import Any

from fusion_tool.tools.extraction.content import ExtractionError, take_texts
from fusion_tool.tools.extraction.readers.tables import table_lines


def read_word(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return the title and the text of a document, paragraphs and tables in order, without struck-out text."""
    from docx import Document
    from docx.opc.exceptions import PackageNotFoundError

    try:
        document = Document(io.BytesIO(data))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise ExtractionError(f"the document cannot be opened ({type(error).__name__})") from error
    return document.core_properties.title or "", "\n".join(take_texts(_lines(document), max_chars))


def _lines(body: Any) -> Iterator[str]:
    from docx.table import Table

    for block in body.iter_inner_content():
        if isinstance(block, Table):
            yield from table_lines([[_cell(cell) for cell in row.cells] for row in block.rows])
        elif text := _paragraph(block):
            yield text


def _cell(cell: Any) -> str:
    return " ".join(_lines(cell))


def _paragraph(paragraph: Any) -> str:
    """Return a paragraph's text; python-docx's own leaves out what was inserted while changes were tracked."""
    from docx.text.run import Run

    # Deleted text is `w:delText`, which a run's text has never held.
    runs = (Run(element, paragraph) for element in paragraph._p.iter(_RUN))  # noqa: SLF001 - no public way to all runs
    return "".join(_run(run) for run in runs).strip()


_RUN = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}r"


def _run(run: Any) -> str:
    font = run.font
    if font.strike or font.double_strike or font.hidden:
        return ""
    # A raised figure is an exponent: marks of footnotes have no text.
    return f"^{run.text}" if font.superscript and run.text.strip().lstrip("-+\u2212").isdecimal() else str(run.text)
