"""`extract`: the text of untrusted bytes.

Plain text is decoded here. HTML and PDF go to a worker process (`pool`, `worker`, over `protocol`), where `html` and
`pdf` parse them: parsers of hostile files crash, hang and take memory, and must not do so in the process that has the
keys.
"""

import asyncio
import re

from fusion_tool.tools.extraction.charset import decode
from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.kind import detect_kind, parse_content_type

_MAX_CHARS = 2_000_000
_MARKDOWN = frozenset({"text/markdown", "text/x-markdown"})
_HEADING = re.compile(r"^#{1,6}[ \t]+(\S.*?)[ \t#]*$", re.MULTILINE)
_XML_ENCODING = re.compile(r"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})")


async def extract(
    data: bytes,
    *,
    content_type: str,
    url: str | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - the work happens in another process, which is killed
) -> Extracted:
    """Extract the text of a page, a PDF, another document or a text file.

    All but plain text is parsed in a process without secrets and with bounds on memory and time; a process that
    passes them is killed and replaced. Works in any thread and any event loop, and never blocks the loop. A page is
    read up to its first 2 MB and 40,000 tags, a text up to 2,000,000 characters.

    Args:
        data: The body, decompressed.
        content_type: The `Content-Type` header with its parameters; empty where there was none.
        url: The page's address, from which the parser may take hints and which is never fetched; `None` if unknown.
        timeout: Seconds of work, from when a worker takes the body.

    Raises:
        ExtractionError: One line on why there is no text: not a text format, broken, encrypted, past
            the limits.
    """
    media, charset = parse_content_type(content_type)
    kind = detect_kind(content_type, data)
    if kind == "text":
        # In a thread, since the charset of a text without a label is guessed by trying many.
        return await asyncio.to_thread(_read_text, data, media, charset)
    # Loaded by the first page or PDF; a run over text files needs neither workers nor parsers.
    from fusion_tool.tools.extraction import html, pdf, pool

    if kind == "pdf" and len(data) > pdf.MAX_BYTES:
        raise ExtractionError(f"the PDF is larger than {pdf.MAX_BYTES >> 20} MB")
    # A page can be cut and still be read; a PDF has its cross-reference table at the end, and cannot.
    body = memoryview(data)[: html.MAX_BYTES] if kind == "html" else data
    job = {"kind": kind, "media": media, "charset": charset, "url": url, "timeout": timeout}
    return await pool.run_in_worker(job, body)


def _read_text(data: bytes, media: str, charset: str | None) -> Extracted:
    declared = _XML_ENCODING.match(data[:300].decode("latin-1"))
    text = decode(data, charset, declared[1] if declared else None)[:_MAX_CHARS]
    heading = _HEADING.search(text) if media in _MARKDOWN else None
    return Extracted(title=heading[1] if heading else "", text=text)
