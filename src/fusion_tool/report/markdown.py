"""A model's Markdown as HTML: none of its own HTML, no pictures, links to the web alone, citations as links."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import bidirectional
from urllib.parse import urlsplit

from fusion_tool.grounding.support import Support
from fusion_tool.report.page import render_page

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token
    from markupsafe import Markup

_MAX_CHARS = 60_000
"""Characters up to which text is read as Markdown: at the very worst a second of work."""

# Numbers in the answer, ids of sources in the seats' answers; never the text of a link.
_BRACKETS = re.compile(r"\[([0-9a-f]{1,8}(?:[,;]? ?[0-9a-f]{1,8})*|\ue000\d+)\](?!\()")
_PLACE = re.compile(r" ?\[\ue000(\d+)\]")
"""A citation whose place in the text is known, by its number among them; no text needs a private character."""

_PAGE_HEADINGS = 2
"""Levels of heading that the page itself takes."""


@dataclass(frozen=True)
class CitationLink:
    """A citation as a link to its source.

    Args:
        label: The text in brackets: a number or an id.
        anchor: The HTML id of the source's place on the page.
        title: The source's title.
        url: The source's address.
        support: The audit's verdict; `None` where the citation was not judged.
        passage: The words of the source that were compared.
    """

    label: str
    anchor: str
    title: str
    url: str
    support: Support | None = None
    passage: str = ""


LOST = CitationLink("no source", "", "The source that was cited here was never retrieved.", "")
"""What stands where a sentence lost its only citation."""


class Place(NamedTuple):
    """Where a citation stands, as offsets in the text; nothing stands there yet where both are equal."""

    start: int
    end: int
    link: CitationLink


def render_markdown(text: str, citations: Mapping[str, CitationLink], places: Sequence[Place] = ()) -> "Markup":
    """Return `text` as HTML.

    Args:
        text: A model's text.
        citations: The citations by the keys that stand in brackets.
        places: Citations by their places, which go before; they do not overlap.
    """
    from markupsafe import Markup

    # Some Markdown takes time that grows with the square of its length.
    if len(text) > _MAX_CHARS:
        return Markup('<div class="plain">{}</div>').format(text)
    rows = sorted(places)
    marked = text.replace("\ue000", "\ufffd")
    for i, (start, end, _) in reversed(list(enumerate(rows))):
        marked = f"{marked[:start]}{' ' if start == end else ''}[\ue000{i}]{marked[end:]}"
    keys = {f"\ue000{i}": row.link for i, row in enumerate(rows)}
    html = _parser().render(marked, {"citations": {**citations, **keys}})
    # What is code to this parser and no code to the audit gets its mark back.
    html = _PLACE.sub(lambda place: text[slice(*rows[int(place[1])][:2])], html)
    return Markup(html)  # noqa: S704 - made by a parser that escapes


def is_web(url: str) -> bool:
    """Tell whether `url` is an address that a reader may follow."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.netloc)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # A picture would be fetched from the web, and a reference defines a link far from its text.
    parser.disable(["image", "reference", "html_block", "html_inline"])
    parser.validateLink = is_web  # type: ignore[method-assign]  # as the library's documentation has it
    parser.inline.ruler.before("link", "citation", _citation)
    parser.core.ruler.push("fitting", _fit)
    parser.add_render_rule("citation", _render_citation)
    parser.add_render_rule("table_open", _open_table)
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _citation(state: "StateInline", silent: bool) -> bool:
    brackets = _BRACKETS.match(state.src, state.pos)
    keys = re.findall(r"\ue000?\w+", brackets[1]) if brackets else []
    # One key that is none, and the brackets are the model's own: "[1, 99]" stays text as a whole.
    if brackets is None or not all(key in state.env["citations"] for key in keys):
        return False
    # `silent`: markdown-it only asks whether the rule applies here, and how far it reaches.
    if not silent:
        for key in keys:
            state.push("citation", "", 0).meta["citation"] = state.env["citations"][key]
    state.pos = brackets.end()
    return True


def _render_citation(_self: Any, tokens: "Sequence[Token]", index: int, *_: Any) -> str:
    return _citation_html(tokens[index].meta["citation"])


@lru_cache(maxsize=1024)
def _citation_html(citation: CitationLink) -> str:
    return render_page("citation.html", citation=citation).strip()


def _open_table(_self: Any, tokens: "Sequence[Token]", index: int, *_: Any) -> str:
    # Reachable by keys: on a phone a wide table scrolls by itself.
    return (
        f'<div class="scroll" role="group" aria-label="Table" tabindex="0"><table dir="{tokens[index].attrGet("dir")}">'
    )


def _fit(state: "StateCore") -> None:
    """Move headings below the page's own, give each block its direction, let links open outside, with no referrer."""
    levels = sorted({token.tag for token in state.tokens if token.type == "heading_open"})
    for place, token in enumerate(state.tokens):
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{levels.index(token.tag) + 1 + _PAGE_HEADINGS}"
        if token.type in _LEAVES:
            token.attrSet("dir", "auto")
        elif token.type in _HOLDERS:
            token.attrSet("dir", _direction(state.tokens[place:]))
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("rel", "noopener noreferrer nofollow")
                inner.attrSet("target", "_blank")


_LEAVES = frozenset({"paragraph_open", "heading_open", "th_open", "td_open"})
"""Blocks of text, each of which the browser turns by its first letter."""
_HOLDERS = frozenset({"bullet_list_open", "ordered_list_open", "blockquote_open", "table_open"})
"""Blocks of blocks: the browser does not look into these, and it is theirs on which side marks and columns begin."""


def _direction(tokens: "Sequence[Token]") -> str:
    """Return the direction of the first letter in a block and what follows."""
    for token in tokens:
        for letter in token.content if token.type == "inline" else "":
            if (kind := bidirectional(letter)) in ("L", "R", "AL"):
                return "ltr" if kind == "L" else "rtl"
    return "ltr"
