"""Which bodies are worth reading, by their declared type and, where none is declared, by their first bytes."""

from fusion_tool.web.errors import FetchFailed, one_line

_READABLE = {
    "application/json",
    "application/ld+json",
    "application/pdf",
    "application/x-pdf",
    "application/xhtml+xml",
    "application/xml",
    "application/x-ndjson",
    "application/javascript",
    "application/yaml",
}
_UNDECLARED = {"", "application/octet-stream", "binary/octet-stream", "application/download"}
_HEAD = 1024


def readable_type(content_type: str) -> str:
    """`content_type` if text can be made of it, before any of the body is read.

    Raises:
        FetchFailed: It is an image, an archive or the like.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind.endswith(("+json", "+xml")) or kind in _READABLE | _UNDECLARED:
        return content_type
    raise FetchFailed(f"binary content {one_line(kind)}")


def sniffed_type(content_type: str, data: bytes) -> str:
    """`content_type`, or what `data` looks like where the server declared nothing.

    Raises:
        FetchFailed: Nothing was declared and the bytes are not text.
    """
    kind = content_type.partition(";")[0].strip().lower()
    head = data[:_HEAD]
    if head.lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if kind not in _UNDECLARED:
        return content_type
    if b"\0" in head:
        raise FetchFailed(f"binary content {one_line(kind) or 'of no declared type'}")
    return "text/html" if b"<" in head and b">" in head else "text/plain"
