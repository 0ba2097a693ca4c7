"""A model's Markdown is data: what it may become, and what never."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from fusion_tool.report.markdown import CitationLink, is_web, render_markdown

_ONE = CitationLink("1", "source-aaaa1111", "The <b>register</b>", "https://example.org/r", "mismatch")
_TWO = CitationLink("2", "source-bbbb2222", "River", "https://example.org/2", "supported")
_KNOWN = {"1": _ONE, "2": _TWO}
_HARMLESS = {
    *("html", "head", "body", "p", "a", "span", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote"),
    *("h3", "h4", "h5", "h6", "hr", "br", "div", "table", "thead", "tbody", "tr", "th", "td"),
}


def _tree(text: str) -> LexborHTMLParser:
    return LexborHTMLParser(str(render_markdown(text, _KNOWN)))


def _hrefs(text: str) -> list[str | None]:
    return [link.attributes["href"] for link in _tree(text).css("a")]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**built** in *1861*", '<p dir="auto"><strong>built</strong> in <em>1861</em></p>\n'),
        ("# Top\n\n###### Deep", '<h3 dir="auto">Top</h3>\n<h4 dir="auto">Deep</h4>\n'),
        ("[2020] and [9]", '<p dir="auto">[2020] and [9]</p>\n'),
        ("`[1]`", '<p dir="auto"><code>[1]</code></p>\n'),
        ("[1]: https://example.org\n", "[1]: https://example.org"),
        ("a & b < c", '<p dir="auto">a &amp; b &lt; c</p>\n'),
        ("", ""),
    ],
)
def test_markdown_becomes_html(text: str, html: str) -> None:
    shown = str(render_markdown(text, {} if text.startswith("[1]:") else _KNOWN))
    assert html in shown


@pytest.mark.parametrize(
    ("text", "tag", "direction"),
    [
        ("one", "p", "auto"),
        ("# one", "h3", "auto"),
        ("|a|\n|-|\n|b|", "td", "auto"),
        ("- one", "ul", "ltr"),
        ("- 1861: \u05d0\n- one", "ul", "rtl"),
        ("1. \u0627", "ol", "rtl"),
        ("> \u05d0", "blockquote", "rtl"),
        ("| \u05d0 | b |\n|-|-|\n| c | d |", "table", "rtl"),
        ("- 1861", "ul", "ltr"),
        ("one\n\n- - \u05d0", "ul", "rtl"),
    ],
)
def test_each_block_has_its_own_direction(text: str, tag: str, direction: str) -> None:
    assert _tree(text).css_first(tag).attributes["dir"] == direction


@pytest.mark.parametrize("text", ["so [1][2]", "so [1, 2]", "so [1; 2]", "so [1 2]"])
def test_a_citation_tells_its_source_and_verdict(text: str) -> None:
    page = _tree(text)
    assert [link.attributes["href"] for link in page.css(".cite > a")] == ["#source-aaaa1111", "#source-bbbb2222"]
    first, second = (" ".join(tip.text(separator=" ").split()) for tip in page.css(".tip"))
    assert first == "The <b>register</b> https://example.org/r ✗ check this: the source seems to say otherwise"
    assert second == "River https://example.org/2 ✓ supported: the source carries the sentence"
    assert page.css_first(".cite > a.mismatch .mark-of").text() == "✗"
    assert page.css_first(".cite > a.supported .mark-of") is None


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,hi)",
        "[x](file:///etc/passwd)",
        "[x](//example.org)",
        "[x](/relative)",
        "[x](mailto:a@example.org)",
        "<javascript:alert(1)>",
        "[x](https:)",
    ],
)
def test_links_lead_to_the_web_or_nowhere(text: str) -> None:
    assert _hrefs(text) == []


def test_a_link_tells_the_other_side_nothing() -> None:
    link = _tree("[x](https://example.org/a?b=c)").css_first("a")
    assert link.attributes == {
        "href": "https://example.org/a?b=c",
        "rel": "noopener noreferrer nofollow",
        "target": "_blank",
    }


def test_a_picture_is_not_loaded() -> None:
    page = _tree("![seen](https://example.org/track.png)")
    assert page.css_first("img") is None
    assert page.css_first("a").attributes["href"] == "https://example.org/track.png"


_PIECES = [
    "<script>",
    "</p>",
    "<img src=x onerror=alert(1)>",
    "javascript:",
    "[1]",
    "](",
    "[",
    "!",
    "`",
    "|",
    "\n",
    "* ",
]


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=6), max_size=30).map("".join))
def test_whatever_is_written_stays_harmless(text: str) -> None:
    for node in _tree(text).css("*"):
        assert node.tag in _HARMLESS
        assert not any(name.startswith("on") or name in ("style", "src", "srcset") for name in node.attributes)
        assert all(is_web(link) or link.startswith("#source-") for link in [node.attributes.get("href") or "#source-"])


def test_very_long_text_is_shown_as_it_is() -> None:
    text = "<script>alert(1)</script> *word* " * 40_000
    started = time.monotonic()
    shown = str(render_markdown(text, _KNOWN))
    assert time.monotonic() - started < 5
    assert LexborHTMLParser(shown).css_first("div.plain").text() == text


@pytest.mark.parametrize("piece", ["[", "![", "*a ", "`a", "<", "~~a", "[1]", "> ", "|a"])
def test_no_text_takes_long(piece: str) -> None:
    started = time.monotonic()
    render_markdown((piece * 60_000)[:60_000], _KNOWN)
    assert time.monotonic() - started < 10
