"""Units as far as arithmetic holds them to be the same; the rest are words."""

import re
from fractions import Fraction
from functools import cache

from fusion_tool.grounding.numerals import tables

_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "inr", "cny", "chf"})
_CASED = frozenset({"power", "energy", "data", "bitrate", "frequency", "voltage"})
"""Dimensions in which `m` and `M` are a million million apart."""
_LOOSE = frozenset({"points", "calories", "ton", "tons", "tonne", "tonnes", "t"})
"""A dimension and spellings that good prose, but no arithmetic, holds to be the same."""
_SYMBOL = 3
"""The most letters of a unit whose case matters."""
_WORDS = 4
_PHRASE = re.compile(r"[A-Za-zµμ°%¢$€£¥₹][A-Za-zµμ°²³/-]*(?:\^?\(?-?[23]\)?)?(?:\s+[A-Za-z][A-Za-z/-]*(?:\^?[23])?)*")
_NOT_UNITS = frozenset(
    re.findall(
        r"\w+",
        """and or to than more less fewer greater higher lower mod modulo plus minus over out if when not divided
        multiplied squared cubed factorial sin cos tan ln log half halves third thirds quarter quarters fourth fourths
        fifth fifths sixth sixths seventh sevenths eighth eighths ninth ninths tenth tenths hundredth hundredths
        thousandth thousandths pair pairs couple couples dozens score gross st nd rd th each remaining left""",
    )
)
"""Words after a number that change what it says."""


def unit(text: str, *, apart: bool) -> tuple[str, Fraction] | None:
    """The dimension of a unit and what it is worth in the dimension's base.

    Any other words are a dimension of their own where they stand apart from the number, at most four of them; `None`
    for what is no unit.
    """
    text = " ".join(text.rstrip(".").split())
    known = _known().get(text.lower())
    if known and (text.islower() or len(text) > _SYMBOL or known[0] in _CURRENCIES or not text.isalpha()):
        return known
    words = text.split()
    if not apart or not _PHRASE.fullmatch(text) or len(words) > _WORDS or _NOT_UNITS & {word.lower() for word in words}:
        return None
    return " ".join(word.lower().removesuffix("s") if len(word) > _SYMBOL else word for word in words), Fraction(1)


def units_of(question: str) -> frozenset[tuple[str, Fraction]]:
    """The known units that `question` speaks of."""
    words = re.findall(r"[A-Za-z]+(?:/[A-Za-z]+)?|[$€£¥₹¢]", question.lower())
    return frozenset(_known()[word] for word in words if word in _known() and (len(word) > 1 or not word.isalpha()))


@cache
def _known() -> dict[str, tuple[str, Fraction]]:
    return {
        spelling: (dimension, Fraction(str(factor)))
        for dimension, units in tables()["units"].items()
        for factor, *spellings in units.values()
        for spelling in spellings
        if not _LOOSE & {dimension, spelling}
        and not (dimension in _CASED and (len(spelling) <= _SYMBOL or spelling.endswith(("bps", "/s"))))
    }
