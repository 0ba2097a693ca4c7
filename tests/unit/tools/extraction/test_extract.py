import json

import pytest

from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.extract import extract
from tests.unit.tools.extraction.samples import page, pdf

PROSE = "The bridge at Norrholm opened to traffic on a grey morning, and half the town walked across it. " * 4


async def test_a_page_gives_its_title_and_its_article_without_what_surrounds_it():
    data = page(f"<nav>Home | News</nav><article><h1>Opening</h1><p>{PROSE}</p></article><script>x=1</script>")
    extracted = await extract(data, content_type="text/html; charset=utf-8", url="https://example.org/a")
    assert extracted.title == "A title"
    assert "grey morning" in extracted.text
    assert "Home" not in extracted.text
    assert "x=1" not in extracted.text


async def test_where_trafilatura_loses_most_of_a_page_the_main_text_is_kept():
    replies = "".join(f'<div class="comment"><p>Reply {n}: {PROSE}</p></div>' for n in range(20))
    extracted = await extract(page(f"<main><p>{PROSE}</p>{replies}</main>"), content_type="text/html")
    assert "Reply 0: The bridge" in extracted.text
    assert "Reply 19: The bridge" in extracted.text


async def test_words_stay_whole_and_blocks_stay_apart():
    body = "<div>un<b>brea</b>kable</div>tail" + "<div>filler words</div>" * 8000
    text = (await extract(page(body), content_type="text/html")).text
    assert text.startswith("unbreakable\ntail\nfiller words\n")


@pytest.mark.parametrize(
    ("content_type", "head", "charset"),
    [
        ("text/html; charset=windows-1251", "", "windows-1251"),
        ("text/html", '<meta charset="windows-1251">', "windows-1251"),
        ("text/html; charset=nonsense", '<meta charset="windows-1251">', "windows-1251"),
        ("text/html", "", "utf-16"),
        ("", "", "utf-8"),
    ],
)
async def test_a_page_is_read_in_the_charset_it_declares(content_type, head, charset):
    data = page(f"<p>{'Мост открыли утром. ' * 20}</p>", head=head).decode().encode(charset)
    assert "Мост открыли утром." in (await extract(data, content_type=content_type)).text


async def test_a_pdf_gives_its_title_and_its_lines_whatever_its_server_calls_it():
    expected = Extracted(title="A report", text="Hello there\nSecond line")
    data = pdf("Hello there", "Second line")
    for content_type in ("application/pdf", "application/octet-stream", "text/html"):
        assert await extract(data, content_type=content_type) == expected


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"plain <b>words</b>", "text/plain", Extracted("", "plain <b>words</b>")),
        (
            b"intro\n## The *Kestrel* ##\nmore",
            "text/markdown",
            Extracted("The *Kestrel*", "intro\n## The *Kestrel* ##\nmore"),
        ),
        (json.dumps({"a": [1]}).encode(), "application/json", Extracted("", '{"a": [1]}')),
        (b'{"a": 1}', "application/ld+json", Extracted("", '{"a": 1}')),
        (b"", "text/plain", Extracted("", "")),
        (b"", "text/html", Extracted("", "")),
        (b"words", "", Extracted("", "words")),
    ],
)
async def test_text_is_given_as_it_is(data, content_type, expected):
    assert await extract(data, content_type=content_type) == expected


@pytest.mark.parametrize(
    ("data", "content_type", "reason"),
    [
        (b"\x89PNG", "image/png", "a picture, not a page"),
        (b"MZ\0\0", "text/plain", "binary"),
        (b"\x7fELF\0", "", "binary"),
        (b"%PDF-1.7 and nothing else", "application/pdf", "cannot be opened"),
        (pdf("cut")[:200], "application/pdf", "cannot be opened"),
    ],
)
async def test_what_holds_no_text_is_refused_in_one_line(data, content_type, reason):
    with pytest.raises(ExtractionError, match=reason) as caught:
        await extract(data, content_type=content_type)
    assert "\n" not in str(caught.value)
