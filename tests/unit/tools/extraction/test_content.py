import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.tools.extraction.content import decode, python_charset


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Zürich".encode(), None, "Zürich"),
        ("Zürich".encode("latin-1"), "iso-8859-1", "Zürich"),
        (b"\x93quoted\x94", "iso-8859-1", "\u201cquoted\u201d"),
        ("Zürich".encode("latin-1"), None, "Z\ufffdrich"),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        (b"\xef\xbb\xbfabc", "latin-1", "abc"),
        ("abc".encode("utf-16"), "utf-8", "abc"),
        ("Zürich".encode(), "no-such-charset", "Zürich"),
        (b"616263", "hex", "616263"),
        (b"abc", "\0", "abc"),
    ],
)
def test_decode(data, declared, text):
    assert decode(data, declared) == text


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "undefined", "utf-7"])
def test_codecs_that_are_no_charsets_are_not_used(label):
    assert python_charset(label) is None
    assert decode(b"a\\u0062", label) == "a\\u0062"


@given(st.binary(), st.none() | st.text(max_size=20))
def test_every_body_has_a_text_whatever_its_label(data, label):
    assert isinstance(decode(data, label), str)
