"""Numbers as they are written: digits with separators, number words, magnitudes."""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Any

DIGITS = r"(?:\d{1,3}(?:[,.'\u00a0\u2009\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?)"
"""A number in digits; a comma or a stop before exactly three digits separates thousands, else decimals."""

_GAPS = re.compile(r"['\u00a0\u2009\u202f ]")
_BY_COMMA = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_BY_STOP = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?")


@cache
def tables() -> dict[str, Any]:
    """The tables of `quantities.toml`: words, magnitudes, bounds and units."""
    return tomllib.loads(resources.files(__package__).joinpath("quantities.toml").read_text("utf-8"))


@cache
def spelled() -> str:
    """The pattern of a number word up to ninety-nine, or of the "a" in "a million"."""
    ones, magnitudes = alternatives(tables()["words"]), alternatives(tables()["magnitudes"])
    return rf"(?:\b(?:{ones})(?:[- ](?:{ones}))?\b|\ba\b(?=[ -](?:{magnitudes})\b))"


def alternatives(words: Any) -> str:
    """A pattern of any of `words`, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def read_number(text: str) -> tuple[float, float] | None:
    """The value of a number without magnitude and what its last digit is worth; `None` for "a"."""
    words = tables()["words"]
    parts = re.split(r"[- ]", text.lower())
    if parts[0] in words:
        return float(sum(words[part] for part in parts)), 1.0
    digits = _GAPS.sub("", text)
    if _BY_COMMA.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _BY_STOP.fullmatch(digits):
        digits = digits.replace(".", "")
    digits = digits.replace(",", ".")
    try:
        return float(digits), 10.0 ** -len(digits.partition(".")[2])
    except ValueError:
        return None
