"""The charset of a body: what a label means on the web, which labels cannot be true, and a guess where none is.

Labels mean what browsers read in them (https://encoding.spec.whatwg.org/#names-and-labels): iso-8859-1 is windows-1252,
shift_jis is cp932. Unlike a browser, a reader cannot be asked to choose another charset, so that a label that the bytes
contradict is overruled.
"""

import codecs
import re

import webencodings

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# Where Python's codec of the standard's name knows fewer characters than browsers read.
_SUPERSETS = {"gbk": "gb18030", "euc-jp": "euc_jis_2004", "iso-2022-jp": "iso2022_jp_ext"}

# Python calls these encodings; none is a charset, and some take quadratic time on a hostile body.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)

# What is guessed among first. With all that Python has, EBCDIC and the Macintosh's charsets win over the likely ones in
# short texts, and Thai's over EUC-JP.
_LIKELY = [
    *("cp1252", "cp1251", "koi8_r", "cp1250", "iso8859_2", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("iso8859_5", "iso8859_7", "cp866", "cp932", "euc_jp", "gb18030", "big5", "cp949"),
]
_SAMPLE = 20_000
_ISO_2022_JP = b"\x1b$B"  # the way into its Japanese characters; written in ASCII's bytes, it would pass for UTF-8
_WORD_END = re.compile(rb"[\s<>][^\s<>]*\Z")


def python_charset(label: str | None) -> str | None:
    """Return the name of Python's codec for the charset that `label` names; `None` where it names none."""
    label = (label or "").strip(" \t\r\n\"',;")
    if encoding := webencodings.lookup(label):
        name = _SUPERSETS.get(encoding.name, encoding.codec_info.name)
        # Their codecs are the standard's stand-ins for charsets that it refuses and that no text is in.
        return None if encoding.name in {"replacement", "x-user-defined"} else name
    if re.match(r"utf[-_]?8", label, re.IGNORECASE):  # such as "utf8mb4", a database's name for it
        return "utf-8"
    try:
        name = codecs.lookup(label).name
        b"".decode(name)  # Python has codecs from bytes to bytes, such as "hex", too
    except (LookupError, ValueError):
        return None
    return None if name.replace("_", "-") in _NOT_CHARSETS else name


def decode(data: bytes, *labels: str | None) -> str:
    """Return the text of `data`; bytes that the charset does not know become U+FFFD.

    The byte order mark decides. Bytes that are UTF-8 from end to end are UTF-8, whatever their label: text in another
    charset hardly ever is by chance. Then the first label counts under which most characters can be read, then a guess.

    Args:
        data: The body, which may end within a character.
        labels: The labels that the server and the document declare, the strongest first; `None` for none.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(encoding, "replace")
    if _ISO_2022_JP in data[:_SAMPLE]:
        return data.decode("iso2022_jp_ext", "replace")
    charsets = [charset for label in labels if (charset := python_charset(label))]
    if (whole := _utf8(data)) is not None:
        return whole
    if wide := _wide_charset(data):
        return data.decode(wide, "replace")
    for charset in (*charsets, "utf-8"):
        # Of any text in UTF-16 or UTF-32 some byte is zero; a page says so of itself in ASCII, and is not.
        if charset.startswith(("utf-16", "utf-32")) and b"\0" not in data:
            continue
        if _is_readable(text := data.decode(charset, "replace")):
            return text
    return data.decode(_guess_charset(data) or next(iter(charsets), "utf-8"), "replace")


def _utf8(data: bytes) -> str | None:
    """Return the text of bytes that are UTF-8; `None` for others."""
    if b"\0" in data[:_SAMPLE]:  # UTF-16, if anything
        return None
    try:
        # A decoder that waits for more lets the last character be cut.
        return codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        return None


def _wide_charset(data: bytes) -> str | None:
    """Return which UTF-16 bytes without a mark are, by where ASCII's characters have their zeros; `None` for none."""
    sample = data[:_SAMPLE]
    zeros = sample[1::2].count(0), sample[::2].count(0)
    if 10 * max(zeros) < len(sample) or 10 * min(zeros) > max(zeros):
        return None
    return "utf-16-le" if zeros[0] > zeros[1] else "utf-16-be"


def _is_readable(text: str) -> bool:
    # A few broken bytes are damage; where half of what is not ASCII is broken, it is another charset.
    return 2 * text.count("\ufffd") <= len(text) - len(text.encode("ascii", "ignore"))


def _guess_charset(data: bytes) -> str | None:
    """Return the charset that bytes without a label are most likely in; `None` where nothing fits."""
    from charset_normalizer import from_bytes

    sample = data[:_SAMPLE]
    # A character that the cut divides would speak against the right charset.
    if len(data) > _SAMPLE and (end := _WORD_END.search(sample)):
        sample = sample[: end.start()]
    best = from_bytes(sample, cp_isolation=_LIKELY).best() or from_bytes(sample).best()
    return best.encoding if best else None
