"""The kind of a body by its content type and first bytes, its charset, and the result of an extraction.

The order of charsets is that of the WHATWG Encoding standard (https://encoding.spec.whatwg.org/#decode): byte order
mark, then the declared label, then UTF-8 with replacement.
"""

import codecs
from dataclasses import dataclass
from typing import Literal, TypeAlias

from fusion_tool.errors import FusionError


@dataclass(frozen=True, slots=True)
class Extracted:
    """The readable part of a page or a document.

    Args:
        title: The page's own title on one line; empty where it has none.
        text: The text, paragraphs on lines of their own; empty where the bytes hold none.
    """

    title: str
    text: str


class ExtractionError(FusionError):
    """The bytes gave no text: broken, not a text format, or past the limits of time or memory."""


BodyKind: TypeAlias = Literal["html", "pdf", "text"]

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset(
    {"application/json", "application/x-ndjson", "application/xml", "application/yaml", "application/toml"}
)
_UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/unknown"})
_BOMS_WITH_NULS = (b"\xff\xfe", b"\xfe\xff")
_HEAD_BYTES = 1024
"""Bytes of a body that are looked at for its kind."""


def parse_content_type(content_type: str) -> tuple[str, str | None]:
    """Return the media type in lower case and the `charset` parameter; `None` where none is declared."""
    media, *parameters = content_type.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and (charset := value.strip().strip("\"'")):
            return media.strip().lower(), charset
    return media.strip().lower(), None


def body_kind(media: str, data: bytes) -> BodyKind:
    """Return the kind of a body, which is the parser that it needs.

    A PDF is recognized by its signature, whatever type its server declares, a body of an unknown type by its first
    bytes.

    Args:
        media: The media type, in lower case; empty where none is declared.
        data: The body.

    Raises:
        ExtractionError: The body is neither a page, nor a PDF, nor text.
    """
    head = data[:_HEAD_BYTES]
    if head.lstrip().startswith(b"%PDF-") or media in {"application/pdf", "application/x-pdf"}:
        return "pdf"
    if media in _HTML or (media in _UNKNOWN and head.lstrip().lower().startswith((b"<!doctype html", b"<html"))):
        return "html"
    if not (media in _TEXT | _UNKNOWN or media.startswith("text/") or media.endswith(("+json", "+xml"))):
        raise ExtractionError(f"{media} is not a page, a PDF or text")
    # Text has no NUL but in UTF-16, which is taken for text only with its byte order mark.
    if b"\0" in head and not head.startswith(_BOMS_WITH_NULS):
        raise ExtractionError(f"the body is binary although it is called {media or 'nothing at all'}")
    return "text"


_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# The meaning of a label on the web rather than in Python: the standard reads these as their supersets
# (https://encoding.spec.whatwg.org/#names-and-labels).
_SUPERSETS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}

# Python calls these encodings; none is a charset, and some take quadratic time on a hostile body.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)


def python_charset(label: str | None) -> str | None:
    """Return Python's name of the charset that `label` names; `None` where it names none."""
    try:
        name = codecs.lookup(label or "").name.replace("_", "-")
    except (LookupError, ValueError):
        return None
    return None if name in _NOT_CHARSETS else _SUPERSETS.get(name, name)


def decode(data: bytes, declared: str | None = None) -> str:
    """Return the text of `data`; bytes that the charset does not know become U+FFFD.

    Args:
        data: The body.
        declared: The label that the server or the document declares; `None` for none.
    """
    for bom, charset in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(charset, "replace")
    try:
        return data.decode(python_charset(declared) or "utf-8", "replace")
    # Python has codecs from bytes to bytes, such as "hex", under names that a page may declare.
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")


def guess_charset(data: bytes) -> str | None:
    """Return the charset that bytes without a label are most likely in, `None` where they are UTF-8 or nothing fits."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.start > len(data) - 4:  # the cut fell into a character
            return None
    else:
        return None
    from charset_normalizer import from_bytes

    best = from_bytes(data[:20_000]).best()
    return best.encoding if best else None
