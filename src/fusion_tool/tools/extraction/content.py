"""The result of an extraction, and its error."""

from collections.abc import Iterable
from dataclasses import dataclass

from fusion_tool.errors import FusionError


@dataclass(frozen=True, slots=True)
class Extracted:
    """The readable part of a page or a document.

    Args:
        title: The page's own title on one line; empty where it has none.
        text: The text, paragraphs on lines of their own; empty where the bytes hold none.
        forward: Where a page that only forwards sends its readers, as it writes it (`<meta http-equiv=refresh>`);
            `None` for every other body.
    """

    title: str
    text: str
    forward: str | None = None


class ExtractionError(FusionError):
    """The bytes gave no text: broken, not a text format, or past the limits of time or memory.

    The message is in the package's words alone, since models read it outside of any fence.
    """


def take_texts(texts: Iterable[str], max_chars: int) -> list[str]:
    """Return the first of `texts`, as many as together pass `max_chars` characters; no more of them are made."""
    taken: list[str] = []
    length = 0
    for text in texts:
        taken.append(text)
        length += len(text) + 1
        if length > max_chars:
            break
    return taken
