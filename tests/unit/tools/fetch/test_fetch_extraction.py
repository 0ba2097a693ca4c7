"""Fetching together with the real extraction: what a page's bytes become, and what they cannot."""

import pytest

from fusion_tool.tools.fetch.body import FetchError
from fusion_tool.tools.fetch.fetch import fetch_text
from fusion_tool.tools.fetch.page import FetchPolicy
from tests.unit.tools.conftest import response

pytestmark = pytest.mark.loopback
ARTICLE = "<html><head><title>The title</title>{head}</head><body><article><p>{text}</p></article></body></html>"
TEXT = "Die Br\u00fccke \u00fcber den Flu\u00df wurde 1907 gebaut und ist 120 Meter lang. " * 8


async def read(site):
    return await fetch_text(site.url(), policy=FetchPolicy(allowed_private_hosts=site.opened))


async def test_an_article_gives_title_and_text(site):
    page = ARTICLE.format(head="", text=TEXT).encode()
    site.pages["/"] = response(page, headers="Content-Type: text/html; charset=utf-8\r\n")
    read_page = await read(site)
    assert read_page.title == "The title"
    assert "wurde 1907 gebaut" in read_page.text


@pytest.mark.parametrize(
    ("sent", "declared"),
    [("latin-1", "text/html; charset=latin-1"), ("utf-8", "text/html"), ("utf-16", "text/html; charset=utf-16")],
)
async def test_the_declared_charset_is_read(site, sent, declared):
    page = ARTICLE.format(head="", text=TEXT).encode(sent)
    site.pages["/"] = response(page, headers=f"Content-Type: {declared}\r\n")
    assert "Br\u00fccke" in (await read(site)).text


@pytest.mark.parametrize("declared", ["klingon", "ascii", '"', ""])
async def test_a_wrong_charset_loses_no_text(site, declared):
    page = ARTICLE.format(head="", text=TEXT).encode()
    site.pages["/"] = response(page, headers=f"Content-Type: text/html; charset={declared}\r\n")
    assert "wurde 1907 gebaut" in (await read(site)).text


@pytest.mark.parametrize("data", [b"%PDF-1.7\nbroken", b"%PDF-"])
async def test_a_broken_pdf_fails_in_one_line(site, data):
    site.pages["/"] = response(data, headers="Content-Type: application/pdf\r\n")
    with pytest.raises(FetchError) as failure:
        await read(site)
    assert "\n" not in str(failure.value)


async def test_json_is_read_as_it_is(site):
    site.pages["/"] = response(b'{"price": 120}', headers="Content-Type: application/json\r\n")
    assert '"price": 120' in (await read(site)).text
