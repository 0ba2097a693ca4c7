import pytest

from fusion_tool.tools.extraction.content import ExtractionError
from fusion_tool.tools.extraction.kind import detect_kind, parse_content_type

PAGE = b"<!doctype html><html><body><p>x</p></body></html>"
PDF = b"%PDF-1.7 \0\1\2"


@pytest.mark.parametrize(
    ("header", "media", "charset"),
    [
        ("text/html; charset=utf-8", "text/html", "utf-8"),
        ("Text/HTML;CHARSET='Shift_JIS'", "text/html", "Shift_JIS"),
        ("text/html, text/html; charset=utf-8", "text/html", "utf-8"),
        ("text/html; charset=utf-8, text/html", "text/html", "utf-8"),
        ("text/plain, text/html", "text/html", None),
        ("text/html, */*", "text/html", None),
        ("text/html charset=koi8-r", "text/html", "koi8-r"),
        ("text/html; charset: utf-8", "text/html", "utf-8"),
        ("charset=utf-8", "", "utf-8"),
        ("html", "", None),
        (";;,", "", None),
        ("", "", None),
    ],
)
def test_a_content_type_is_read_however_it_is_written(header, media, charset):
    assert parse_content_type(header) == (media, charset)


@pytest.mark.parametrize(
    ("content_type", "data", "kind"),
    [
        *(
            (label, PDF, "pdf")
            for label in ("", "text/html", "application/force-download", "image/jpeg", "text/csv", "x")
        ),
        ("application/pdf", b"junk\n" + PDF, "pdf"),
        ("application/pdf", b"no PDF", "pdf"),
        *(
            (label, PAGE, "html")
            for label in ("", "application/pdf", "application/x-download", "image/png", "text/xml")
        ),
        ("application/json", PAGE, "text"),
        ("text/plain", PAGE, "text"),
        ("", b"<p>x</p>", "html"),
        ("text/html", b"no markup", "html"),
        ("text/html", b"a page with one stray \x01 character in all of its many words", "html"),
        ("", b'<?xml version="1.0"?><!-- x --><html xmlns="x">', "html"),
        ("application/rss+xml", b'<?xml version="1.0"?><rss>', "text"),
        ("application/octet-stream", b"words", "text"),
        ("application/never-heard-of", b"words", "text"),
        ("", "<html>".encode("utf-16"), "html"),
        ("text/plain; charset=utf-16le", "words".encode("utf-16-le"), "text"),
        ("text/csv", b"a,b", "document"),
    ],
)
def test_the_bytes_decide_the_kind_where_they_can(content_type, data, kind):
    assert detect_kind(content_type, data) == kind


@pytest.mark.parametrize("content_type", ["", "text/html", "text/html; charset=utf-8", "image/png", "application/x"])
@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0\0\x10JFIF\0",
        b"GIF89a\1",
        b"RIFF\x24\0\0\0WEBPVP8 ",
        b"<svg xmlns='x'/>",
    ],
)
def test_a_picture_is_never_a_page(content_type, data):
    with pytest.raises(ExtractionError, match="binary content"):
        detect_kind(content_type, data)


@pytest.mark.parametrize("content_type", ["video/mp4", "audio/mpeg", "font/woff2", "image/svg+xml"])
def test_the_error_says_what_it_is(content_type):
    with pytest.raises(ExtractionError, match=r"binary content: (a film|sound|a font|a picture), not a page"):
        detect_kind(content_type, b"abc")
