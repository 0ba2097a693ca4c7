"""Text out of an e-book (EPUB 3.3, https://www.w3.org/TR/epub-33/): its chapters in the order of the spine."""

import io
import posixpath
import zipfile
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

from fusion_tool.tools.extraction.content import ExtractionError, take_texts
from fusion_tool.tools.extraction.html import plain_text

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_CONTAINER = "META-INF/container.xml"


def read_book(data: bytes, max_chars: int) -> tuple[str, str]:
    """Return the title and the chapters of a book.

    Raises:
        ExtractionError: It has no package document, or none of its chapters can be read, most often as they are
            encrypted.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        try:
            path = _attribute(_markup(archive, _CONTAINER), "rootfile", "full-path")[0]
            package = _markup(archive, path)
        except (KeyError, IndexError) as error:
            raise ExtractionError("the book has no package document") from error
        # The spine may name a file that is not there.
        paths = (chapter for chapter in _spine(package, posixpath.dirname(path)) if chapter in archive.NameToInfo)
        texts = (text for chapter in paths if (text := plain_text(archive.read(chapter))))
        chapters = take_texts(texts, max_chars)
    if not chapters:
        raise ExtractionError("the book's chapters hold no text; they may be encrypted")
    title = package.css_first("dc\\:title")
    return title.text() if title else "", "\n\n".join(chapters)


def _markup(archive: zipfile.ZipFile, path: str) -> "LexborHTMLParser":
    # An HTML parser knows no entity declarations, with which a few bytes of XML become gigabytes.
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(archive.read(path))


def _attribute(markup: "LexborHTMLParser", tag: str, name: str) -> list[str]:
    return [value for node in markup.css(tag) if (value := node.attributes.get(name))]


def _spine(package: "LexborHTMLParser", folder: str) -> Iterator[str]:
    """Yield the paths of the chapters in reading order."""
    paths = {node.attributes.get("id"): node.attributes.get("href") for node in package.css("item")}
    for reference in _attribute(package, "itemref", "idref"):
        if href := paths.get(reference):
            yield posixpath.normpath(posixpath.join(folder, unquote(href.partition("#")[0])))
