"""Bytes to text where the label may be missing, wrong or hostile.

The order is that of the WHATWG Encoding standard (https://encoding.spec.whatwg.org/#decode): byte order
mark, then the declared label, then UTF-8 with replacement.
"""

import codecs

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

# What the label means on the web rather than in Python: the standard reads these as their supersets.
_SUPERSETS = {"iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030"}

# Python calls these encodings; none is a charset, and some take quadratic time on a hostile body.
_NOT_CHARSETS = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)


def known(label: str | None) -> str | None:
    """Python's name of the charset that `label` names, `None` where it names none."""
    try:
        name = codecs.lookup(label or "").name.replace("_", "-")
    except (LookupError, ValueError):
        return None
    return None if name in _NOT_CHARSETS else _SUPERSETS.get(name, name)


def decode(data: bytes, declared: str | None = None) -> str:
    """The text of `data`; bytes that the charset does not know become U+FFFD.

    Args:
        data: The body.
        declared: The label that the server or the document gave, `None` for none.
    """
    for bom, charset in _BOMS:
        if data.startswith(bom):
            return data[len(bom) :].decode(charset, "replace")
    try:
        return data.decode(known(declared) or "utf-8", "replace")
    except (LookupError, ValueError):  # a codec of bytes to bytes, such as "hex"
        return data.decode("utf-8", "replace")
