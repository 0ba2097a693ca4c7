"""What extraction gives back: the text of a page or a file, or one line why there is none."""

from dataclasses import dataclass

from fusion_tool.errors import FusionError


@dataclass(frozen=True, slots=True)
class Extracted:
    """The readable part of a page or a document.

    Args:
        title: The page's own title on one line, `""` where it has none.
        text: The text, paragraphs on lines of their own; `""` where the bytes hold no text.
    """

    title: str
    text: str


class ExtractionFailed(FusionError):  # noqa: N818 - named as its siblings in `fusion_tool.errors`
    """The bytes gave no text: broken, not a text format, or past the limits of time or memory."""
