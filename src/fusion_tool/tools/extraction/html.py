"""The text of an HTML page; runs in the worker.

selectolax parses first: it is small and fast, trafilatura reads its cleaned tree, and its text is the measure of how
much trafilatura has lost. The bounds keep the process's peak under 80 MB; without them a page of 5 MB took 199 MB in
trafilatura.
"""

import re
from itertools import islice
from typing import TYPE_CHECKING

from fusion_tool.tools.extraction.charset import decode
from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.indices import flatten_indices
from fusion_tool.tools.extraction.obstacles import find_obstacle, is_forward, read_signs
from fusion_tool.tools.extraction.visibility import flatten_mathematics, remove_unshown

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_BYTES = 2_000_000
"""A page is read up to here; the text beyond is more than any model is shown."""

_MAX_TAGS = 40_000  # about 350 bytes each in selectolax's tree
_MAX_TAGS_TRAFILATURA = 15_000  # about 1.4 KB each in trafilatura's trees
_MAX_CHARS_TRAFILATURA = 500_000

_CLUTTER = ["script", "style", "noscript", "template", "svg", "iframe", "object", "canvas", "head"]
_AROUND = "nav, footer, aside, form, button, select, dialog, body > header"
_BLOCKS = (
    "address, article, blockquote, br, caption, dd, details, div, dl, dt, figcaption, figure, h1, h2, h3, h4, h5, h6, "
    "hr, li, main, ol, p, pre, section, summary, table, td, th, tr, ul"
)
_BREAK = "\x1e"  # marks the edge of a block while white space is collapsed
_SPACES = str.maketrans("\t\n\f\r\xa0", "     ")
_NO_SPACES = dict.fromkeys(map(ord, " \t\n\xa0"))
_SOFT_HYPHEN = "\u00ad"
# Bounded repetitions, since a search over a hostile page must not take quadratic time.
_META_CHARSET = re.compile(
    rb"<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,200}?encoding)\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE
)
_META_WINDOW = 4096


def read_html(data: bytes, charset: str | None, url: str | None) -> Extracted:
    """Return the title and the main text of a page.

    Args:
        data: The page, up to `MAX_BYTES`.
        charset: The label from the server's header; `None` for none.
        url: The page's address, from which trafilatura takes hints; `None` for a document of the user's own.

    Raises:
        ExtractionError: Something stands between the page's text and its readers: a wall, or JavaScript.
    """
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(_decode(_cut(data), charset))
    # The title before the clutter goes, which includes the page's head; trafilatura before the parts around the text
    # go, which it removes by rules of its own.
    title, signs = _title(page), read_signs(page)
    show(page)
    article = _trafilatura(page.html or "", url)
    for node in page.css(_AROUND):
        node.decompose()
    main = _text(page.css_first("main") or page.css_first("article") or page.body)
    # On pages that are no article, lists and documentation among them, trafilatura drops most of the text.
    # Where both have the same words, trafilatura may have put each formatted word on a line of its own.
    is_better = 2 * len(article) >= len(main) and article.translate(_NO_SPACES) != main.translate(_NO_SPACES)
    text = article if is_better else main
    # A document of the user's own is what it is, and leads nowhere.
    if url is not None:
        if is_forward(signs, text):
            return Extracted(title, text, signs.forward)
        if obstacle := find_obstacle(signs, title, text):
            raise ExtractionError(obstacle)
    return Extracted(title, text.replace(_SOFT_HYPHEN, ""))


def show(page: "LexborHTMLParser") -> None:
    """Make a page's tree say in plain text what a reader sees."""
    flatten_mathematics(page)
    remove_unshown(page)
    page.strip_tags(_CLUTTER)
    flatten_indices(page)


def plain_text(data: bytes) -> str:
    """Return all the text of a page, such as a book's chapter, in which nothing is clutter."""
    from selectolax.lexbor import LexborHTMLParser

    page = LexborHTMLParser(_decode(_cut(data[:MAX_BYTES]), None))
    show(page)
    return _text(page.body)


def _cut(data: bytes) -> bytes:
    # By tags, counted before anything is parsed: they and not the bytes make the tree's size.
    excess = next(islice(re.finditer(b"<", data), _MAX_TAGS, None), None)
    return data[: excess.start()] if excess else data


def _decode(data: bytes, charset: str | None) -> str:
    # The server's label wins over the page's own, by the standard.
    meta = _META_CHARSET.search(data[:_META_WINDOW])
    return decode(data, charset, meta[1].decode("ascii", "replace") if meta else None)


def _title(page: "LexborHTMLParser") -> str:
    # `og:title` first: it mostly lacks the site's name, which <title> carries.
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

    # `fast` leaves out its fallbacks, of which justext's stop words alone take 33 MB; ours is the page's main text.
    return extract(markup, url=url, fast=True, include_comments=False, favor_recall=True) or ""


def _text(root: "LexborNode | None") -> str:
    if root is None:
        return ""
    for block in root.css(_BLOCKS):
        block.insert_before(_BREAK)
        block.insert_after(_BREAK)
    text = re.sub(" {2,}", " ", root.text().translate(_SPACES))  # `split` and `join` would take 30 MB here
    return "\n".join(line for part in text.split(_BREAK) if (line := part.strip()))
