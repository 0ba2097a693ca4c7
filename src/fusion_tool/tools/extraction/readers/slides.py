"""Text out of a presentation (ECMA-376, PresentationML), with python-pptx."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

from fusion_tool.tools.extraction.content import ExtractionError, take_texts
from fusion_tool.tools.extraction.readers.tables import table_lines


def read_slides(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return the title and the text of a presentation: slide by slide, the speaker's notes after each."""
    from pptx import Presentation
    from pptx.exc import PackageNotFoundError

    try:
        presentation = Presentation(io.BytesIO(data))
    except (PackageNotFoundError, KeyError, ValueError) as error:
        raise ExtractionError(f"the presentation cannot be opened ({type(error).__name__})") from error
    slides = (text for number, slide in enumerate(presentation.slides, 1) if (text := _slide(number, slide)))
    return presentation.core_properties.title or "", "\n\n".join(take_texts(slides, max_chars))


def _slide(number: int, slide: Any) -> str:
    lines = list(_lines(slide.shapes))
    if slide.has_notes_slide and (frame := slide.notes_slide.notes_text_frame) is not None and frame.text.strip():
        lines.append(f"Notes: {frame.text.strip()}")
    return "\n".join([f"Slide {number}", *lines]) if lines else ""


def _lines(shapes: Iterable[Any]) -> Iterator[str]:
    from pptx.enum.shapes import MSO_SHAPE_TYPE

    for shape in shapes:
        if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
            yield from _lines(shape.shapes)
        elif shape.has_text_frame:
            yield from (text for paragraph in shape.text_frame.paragraphs if (text := paragraph.text.strip()))
        elif shape.has_table:
            yield from table_lines([[cell.text for cell in row.cells] for row in shape.table.rows])
