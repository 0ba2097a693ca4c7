# ruff: noqa: RUF001 - other scripts look like ours
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_tool.tools.extraction.charset import decode, python_charset
from fusion_tool.tools.extraction.content import Extracted, ExtractionError
from fusion_tool.tools.extraction.extract import extract

RUSSIAN = "Портовое управление измерило прилив в 3,4 метра в Бресте. "
JAPANESE = "港湾局はブレストで三・四メートルの潮位を観測し、その年の最高値であったと記録に残している。"
CHINESE = "港务局在布雷斯特测得三点四米的潮汐,是当年记录中的最高值。"
KOREAN = "항만청은 브레스트에서 조위 3.4미터를 측정하였으며 이는 그 해의 최고치였다. "
GERMAN = "Die Brücke über den Fluß wurde 1907 gebaut. "


@pytest.mark.parametrize(
    ("data", "labels", "text"),
    [
        (GERMAN.encode(), [], GERMAN),
        ("Zürich".encode("latin-1"), ["iso-8859-1"], "Zürich"),
        (b"\x93quoted\x94", ["iso-8859-1"], "\u201cquoted\u201d"),
        # Labels mean what browsers read in them.
        ("①三・四".encode("cp932"), ["Shift_JIS"], "①三・四"),
        ("①三・四".encode("cp932"), ["x-sjis"], "①三・四"),
        ("똠방각하".encode("cp949"), ["EUC-KR"], "똠방각하"),
        ("똠방각하".encode("cp949"), ["ks_c_5601-1987"], "똠방각하"),
        ("朱镕基".encode("gb18030"), ["gb2312"], "朱镕基"),
        ("①三・四".encode("euc_jis_2004"), ["euc-jp"], "①三・四"),
        ("“şğı”".encode("cp1254"), ["iso-8859-9"], "“şğı”"),
        ("“Ł”".encode("cp1250"), ["cp1250"], "“Ł”"),
        ("Язык€".encode("cp1251"), ["win-1251", "windows-1251"], "Язык€"),
        (JAPANESE.encode("iso2022_jp"), ["iso-2022-jp"], JAPANESE),
        (GERMAN.encode(), ['"UTF8mb4";'], GERMAN),
        # The byte order mark decides.
        (b"\xef\xbb\xbfabc", ["latin-1"], "abc"),
        ("abc".encode("utf-16"), ["utf-8"], "abc"),
        ("abc".encode("utf-16-le"), ["utf-16"], "abc"),
        (JAPANESE.encode("utf-16-le"), ["utf-16le"], JAPANESE),
        (GERMAN.encode("utf-16-be"), [], GERMAN),
        # A label that cannot be true is overruled.
        (b"3.4 metres", ["utf-16"], "3.4 metres"),
        (b"3.4 metres", ["utf-32"], "3.4 metres"),
        (GERMAN.encode("cp1252"), ["utf-16", "windows-1252"], GERMAN),
        (GERMAN.encode(), ["iso-8859-1"], GERMAN),
        (KOREAN.encode(), ["euc-kr"], KOREAN),
        (GERMAN.encode(), ["ascii"], GERMAN),
        (RUSSIAN.encode("cp1251"), ["utf-8", "windows-1251"], RUSSIAN),
        (RUSSIAN.encode("cp1251"), ["utf-8"], RUSSIAN),
        # Damage is no other charset; neither is a cut.
        ("äöü".encode() + b"\xff" + "äöü".encode(), ["utf-8"], "äöü\ufffdäöü"),
        (GERMAN.encode() + "ü".encode()[:1], [], GERMAN),
        # Without a label there is a guess.
        (RUSSIAN.encode("cp1251"), [], RUSSIAN),
        (RUSSIAN.encode("koi8-r"), [None, "no-such-charset"], RUSSIAN),
        (RUSSIAN.encode("cp866"), [], RUSSIAN),
        (JAPANESE.encode("cp932"), [], JAPANESE),
        (JAPANESE.encode("euc_jp"), [], JAPANESE),
        (JAPANESE.encode("iso2022_jp"), [], JAPANESE),
        (CHINESE.encode("gb18030"), [], CHINESE),
        (KOREAN.encode("cp949"), [], KOREAN),
        (GERMAN.encode("cp1252"), [], GERMAN),
        (JAPANESE.encode("cp932") * 1000, [], JAPANESE * 1000),
        # Python's codecs that are no charsets.
        (b"616263", ["hex"], "616263"),
        (b"abc", ["\0"], "abc"),
        (b"", ["utf-16"], ""),
    ],
)
def test_a_text_is_read_in_the_charset_that_it_is_in(data, labels, text):
    assert decode(data, *labels) == text


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "undefined", "utf-7", "x-user-defined"])
def test_codecs_that_are_no_charsets_are_not_used(label):
    assert python_charset(label) is None
    assert decode(b"a\\u0062", label) == "a\\u0062"


@settings(deadline=None)
@given(
    st.binary(), st.lists(st.none() | st.text(max_size=20) | st.sampled_from(["utf-16", "euc-jp", "big5"]), max_size=2)
)
def test_every_body_has_a_text_whatever_its_labels(data, labels):
    assert isinstance(decode(data, *labels), str)


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="\0\ufeff", codec="utf-8")), st.sampled_from(["latin-1", "gbk", "utf-16"])
)
def test_utf_8_is_read_as_such_whatever_its_label(text, label):
    if "\x1b$B" not in text:
        assert decode(text.encode(), label) == text


@pytest.mark.parametrize(
    "content_type", ["text/plain", "text/csv", "text/csv; charset=utf-8", "text/tab-separated-values"]
)
async def test_plain_text_and_tables_in_old_charsets_are_guessed(content_type):
    rows = "Город\tМетров\nПортовое управление\t3,4\nБрестская крепость\t5,6\n"
    assert "Портовое управление" in (await extract(rows.encode("cp1251"), content_type=content_type)).text


async def test_xml_says_its_own_charset():
    data = f'<?xml version="1.0" encoding="koi8-r"?><a>{RUSSIAN}</a>'.encode("koi8-r")
    assert RUSSIAN in (await extract(data, content_type="application/xml")).text


PIECES = st.sampled_from(
    [b"<html>", b"\0", b"\x1f\x8b", b"%PDF-1.4\n", b"\xff\xfe", b"GIF89a", b"<meta charset=utf-16>", b"<p>"]
)
TYPES = st.sampled_from(
    ["", "text/html", "text/html, text/html", "text/plain; charset=utf-16", "a/b", "text/csv", "image/png"]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.binary(max_size=30), max_size=6).map(b"".join), TYPES | st.text(max_size=30))
async def test_any_bytes_under_any_header_are_a_text_or_a_typed_error(data, content_type):
    try:
        assert isinstance(await extract(data, content_type=content_type), Extracted)
    except ExtractionError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
