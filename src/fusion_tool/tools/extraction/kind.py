"""The kind of a body: its bytes decide where they can, its declared type where they cannot.

Servers send PDFs as files to be saved, pages as PDFs, and pictures as pages. The patterns are those of the WHATWG MIME
Sniffing standard (https://mimesniff.spec.whatwg.org).
"""

import codecs
import re
from typing import Literal, TypeAlias

from fusion_tool.tools.extraction.charset import python_charset
from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.readers.read import DOCUMENT_TYPES

BodyKind: TypeAlias = Literal["html", "pdf", "document", "text"]

HEAD_BYTES = 1024
"""The bytes of a body that its kind is told from."""

_HTML = frozenset({"text/html", "application/xhtml+xml", "application/html", "text/xhtml"})
_UNDECLARED = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/unknown"})
_MARKS_WITH_NULS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BEFORE = rb"(?:\s*(?:<\?xml[^>]{0,200}>|<!--.{0,400}?-->))*\s*"
_PAGE_START = re.compile(_BEFORE + rb"<(?:!doctype\s+html|html|head|body)[\s/>]", re.IGNORECASE | re.DOTALL)
_MARKUP_START = re.compile(
    rb"\s*<(?:title|meta|link|script|style|iframe|h[1-6]|div|font|table|a|b|br|p|main|article|section|!--)[\s/>]",
    re.IGNORECASE,
)
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"<svg", b"II*\0", b"MM\0*")
_NO_PAGES = {"image": "a picture", "audio": "sound", "video": "a film", "font": "a font"}
# Control characters that no text has (section 3 of the standard); ESC is left out, as ISO-2022's texts have it.
_CONTROLS = bytes([*range(0x09), 0x0B, *range(0x0E, 0x1B), *range(0x1C, 0x20)])


def parse_content_type(content_type: str) -> tuple[str, str | None]:
    """Return the media type in lower case, empty where none is declared, and the label of the charset or `None`.

    Of a header that was sent twice, or joined by a comma, the last type and the last charset count.
    """
    medias = [media for part in content_type.split(",") if "/" in (media := _first_word(part)) and media != "*/*"]
    charsets = re.findall(r"charset\s*[=:]\s*[\"']?([^\s\"';,]+)", content_type, re.IGNORECASE)
    return (medias or [""])[-1], (charsets or [None])[-1]


def _first_word(text: str) -> str:
    return (re.split(r"[\s;]", text.strip().strip("\"'"), maxsplit=1) or [""])[0].lower()


def detect_kind(content_type: str, data: bytes) -> BodyKind:
    """Return the kind of a body, which is the parser that it needs.

    Args:
        content_type: The `Content-Type` header with its parameters; empty where there was none.
        data: The body, or at least its first `HEAD_BYTES`.

    Raises:
        ExtractionError: The body is neither a page, nor a PDF, nor another document, nor text.
    """
    media, charset = parse_content_type(content_type)
    head = data[:HEAD_BYTES]
    start = head.replace(b"\0", b"") if head.startswith(_MARKS_WITH_NULS) else head
    start = start.lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\f")
    is_page = _PAGE_START.match(start) is not None
    # A PDF is one under any label; one that is declared may have junk in front of its signature.
    if start.startswith(b"%PDF-") or (media.endswith("pdf") and not is_page):
        return "pdf"
    if media in DOCUMENT_TYPES:
        return "document"
    if start.startswith(_PICTURES) or head.startswith(_PICTURES):
        raise ExtractionError("binary content: a picture, not a page")
    family = media.partition("/")[0]
    if family in _NO_PAGES and not is_page:
        raise ExtractionError(f"binary content: {_NO_PAGES[family]}, not a page")
    if _is_binary(head, charset):
        raise ExtractionError("binary content: not a page, a PDF or text")
    if media in _HTML or (media in _UNDECLARED and _MARKUP_START.match(start)):
        return "html"
    # Text that is declared as such may hold markup, and is meant to be read with it.
    is_text = (family == "text" and media != "text/xml") or media in {"application/json", "application/x-ndjson"}
    return "html" if is_page and not is_text else "text"


def _is_binary(head: bytes, charset: str | None) -> bool:
    if head.startswith(_MARKS_WITH_NULS):
        return False
    codec = python_charset(charset) or ""
    if codec.startswith(("utf-16", "utf-32")) and b"\0" in head:
        return False
    # One character in fifty: a page with a stray control character is still a page.
    return 50 * (len(head) - len(head.translate(None, _CONTROLS))) > len(head)
