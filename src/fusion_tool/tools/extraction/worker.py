"""The process that parses: `python -m fusion_tool.tools.extraction.worker KIND`, one job after the other.

It reads frames from its input and writes frames to its output until its input ends, so that it never outlives its
parent. It holds no secret: `pool` starts it with an almost empty environment.
"""

import os
import sys
from typing import Any

from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.protocol import (
    HEADROOM,
    BrokenFrameError,
    block_unneeded_imports,
    limit_cpu,
    limit_process,
    mapped_bytes,
    read_frame,
    write_frame,
)

MAX_CHARS = 2_000_000
"""The most characters of a text; the rest is cut off."""


def parse(job: dict[str, Any], data: bytes) -> Extracted:
    """Return the title, the text and the onward address of `data` by the parser that `job["kind"]` names."""
    # One parser a process, loaded by its first job: memory that the other would take is the page's.
    if job["kind"] == "pdf":
        from fusion_tool.tools.extraction.pdf import read_pdf

        return Extracted(*read_pdf(data, MAX_CHARS))
    if job["kind"] == "document":
        from fusion_tool.tools.extraction.readers.read import read_document

        return Extracted(*read_document(job["media"], data, MAX_CHARS, job["charset"]))
    from fusion_tool.tools.extraction.html import read_html

    return read_html(data, job["charset"], job["url"])


def answer(job: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the reply to one job: a title and a text, or an error."""
    try:
        page = parse(job, data)
    except MemoryError:
        return {"error": "parsing took more memory than is allowed", "worn": True}, b""
    except ExtractionError as error:
        return {"error": str(error)}, b""
    except Exception as error:  # noqa: BLE001 - a hostile page may raise anything; the worker lives on
        return {"error": f"the parser failed ({type(error).__name__})", "worn": True}, b""
    reply = {"title": page.title[:1000], "forward": page.forward}
    return reply, page.text[:MAX_CHARS].encode("utf-8", "replace")


def main() -> None:
    """Serve jobs until the input ends."""
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a parser prints must not pass for a frame
    # Before the first parser is imported, and the limits before the first byte from outside is read.
    block_unneeded_imports()
    worn_at = limit_process(HEADROOM[sys.argv[1]])
    while True:
        try:
            job, data = read_frame(source, sys.maxsize)
        except BrokenFrameError:
            return
        limit_cpu(job["timeout"])
        reply, text = answer(job, data)
        del data  # what is measured is the memory that the parser leaves behind
        size = mapped_bytes()
        if worn_at is not None and size is not None and size > worn_at:
            reply["worn"] = True
        write_frame(sink, reply, text)


if __name__ == "__main__":
    main()
