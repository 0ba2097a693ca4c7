"""Text out of a page; runs in the worker.

selectolax parses first: it is small and fast, its cleaned tree is what trafilatura reads, and its text
is what trafilatura is measured against. The bounds keep the process's peak under 80 MB: a page of 5 MB
without them cost trafilatura 199 MB.
"""

import re
from itertools import islice
from typing import TYPE_CHECKING

from fusion_tool.tools.extraction.content import decode, python_charset

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_BYTES = 2_000_000
"""A page is read up to here; beyond lies more text than any model is given."""

_MAX_TAGS = 40_000  # about 350 bytes each in selectolax's tree
_MAX_TAGS_TRAFILATURA = 15_000  # about 1.4 KB each in trafilatura's trees
_MAX_CHARS_TRAFILATURA = 500_000

_CLUTTER = ["script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "head"]
_AROUND = "nav, footer, aside, form, button, select, dialog, body > header, [hidden], [aria-hidden=true]"
_BLOCKS = (
    "address, article, blockquote, br, dd, div, dl, dt, figcaption, figure, h1, h2, h3, h4, h5, h6, hr, li, main, "
    "ol, p, pre, section, table, td, th, tr, ul"
)
_BREAK = "\x1e"  # stands for a block's border while white space is collapsed
_SPACES = str.maketrans("\t\n\f\r\xa0", "     ")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_META_WINDOW = 4096


def read_html(data: bytes, charset: str | None, url: str | None) -> tuple[str, str]:
    """Return the title and the main text of a page.

    Args:
        data: The page, up to `MAX_BYTES`.
        charset: The label from the server's header, `None` for none.
        url: Where the page is from; trafilatura takes hints from it.
    """
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(_decode(_cut(data), charset))
    title = _title(page)
    page.strip_tags(_CLUTTER)
    article = _trafilatura(page.html or "", url)
    for node in page.css(_AROUND):
        node.decompose()
    main = _text(page.css_first("main") or page.css_first("article") or page.body)
    return title, article if 2 * len(article) >= len(main) else main


def _cut(data: bytes) -> bytes:
    beyond = next(islice(re.finditer(b"<", data), _MAX_TAGS, None), None)
    return data[: beyond.start()] if beyond else data


def _decode(data: bytes, charset: str | None) -> str:
    if not python_charset(charset):
        declared = _META_CHARSET.search(data[:_META_WINDOW])
        charset = declared[1].decode("ascii", "replace") if declared else _guess(data)
    return decode(data, charset)


def _guess(data: bytes) -> str | None:
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


def _title(page: "LexborHTMLParser") -> str:
    for selector, attribute in (("meta[property='og:title']", "content"), ("title", ""), ("h1", "")):
        if (node := page.css_first(selector)) is not None:
            text = node.attributes.get(attribute) if attribute else node.text()
            if line := " ".join((text or "").split()):
                return line
    return ""


def _trafilatura(markup: str, url: str | None) -> str:
    if len(markup) > _MAX_CHARS_TRAFILATURA or markup.count("<") > _MAX_TAGS_TRAFILATURA:
        return ""
    from trafilatura import extract

    # `fast` leaves out its own fallbacks: justext's stop words alone cost 33 MB, and ours is measured below
    return extract(markup, url=url, fast=True, include_comments=False, favor_recall=True) or ""


def _text(root: "LexborNode | None") -> str:
    if root is None:
        return ""
    for block in root.css(_BLOCKS):
        block.insert_before(_BREAK)
        block.insert_after(_BREAK)
    spaced = re.sub(" {2,}", " ", root.text().translate(_SPACES))  # `split` and `join` would take 30 MB here
    return "\n".join(line for part in spaced.split(_BREAK) if (line := part.strip()))
