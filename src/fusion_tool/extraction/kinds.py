"""Which parser a body needs, told from its content type and its first bytes."""

from typing import Literal, TypeAlias

from fusion_tool.extraction.result import ExtractionFailed

BodyKind: TypeAlias = Literal["html", "pdf", "text"]

_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset(
    {"application/json", "application/x-ndjson", "application/xml", "application/yaml", "application/toml"}
)
_UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/unknown"})
_BOMS_WITH_NULS = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED = 1024


def parse_content_type(content_type: str) -> tuple[str, str | None]:
    """The media type in lower case and the `charset` parameter, `None` where none is declared."""
    media, *parameters = content_type.split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and (charset := value.strip().strip("\"'")):
            return media.strip().lower(), charset
    return media.strip().lower(), None


def body_kind(media: str, data: bytes) -> BodyKind:
    """The parser for a body of media type `media`.

    A PDF is known by its signature whatever its server calls it; a body without a telling type is
    looked at.

    Raises:
        ExtractionFailed: The body is neither a page, nor a PDF, nor text.
    """
    head = data[:_SNIFFED]
    if head.lstrip().startswith(b"%PDF-") or media in {"application/pdf", "application/x-pdf"}:
        return "pdf"
    if media in _HTML or (media in _UNKNOWN and head.lstrip().lower().startswith((b"<!doctype html", b"<html"))):
        return "html"
    if not (media in _TEXT | _UNKNOWN or media.startswith("text/") or media.endswith(("+json", "+xml"))):
        raise ExtractionFailed(f"{media} is not a page, a PDF or text")
    if b"\0" in head and not head.startswith(_BOMS_WITH_NULS):
        raise ExtractionFailed(f"the body is binary although it is called {media or 'nothing at all'}")
    return "text"
