"""Numbers with what stands around them: currency, magnitude, percent, unit."""

import re
from collections.abc import Hashable
from fractions import Fraction
from functools import cache

from fusion_tool.grounding.numerals import read_number, tables
from fusion_tool.routing.closed.expression import normal_form
from fusion_tool.routing.closed.polynomial import Polynomial, TooHard

_HEDGE = re.compile(r"^(?:exactly|approximately|approx\.?|about|around|roughly|~|≈|=)\s*", re.IGNORECASE)
_SIGNS = "$€£¥₹"
_QUANTITY = re.compile(
    rf"(?P<sign>[-−])?(?P<currency>us\$|[{_SIGNS}]|(?:usd|eur|gbp|chf|inr)(?=\s))?\s?"
    rf"(?P<number>[-−+\d.√(π](?:[^A-Za-z%°µμ¢²³{_SIGNS}]|(?<=\d)e(?=[-+]?\d))*?|[a-z]+(?:-[a-z]+)?)"
    rf"(?:[\s-]?(?P<unit>[A-Za-z°%µμ¢{_SIGNS}][A-Za-z°%µμ/²³^.\d\s-]*))?",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:([,'\u00a0\u2009\u202f ])\d{3})(?:\1\d{3})*(?!\d)")
_COMMA = re.compile(r"\d+,\d{1,2}")
_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "inr", "cny", "chf"})
_CASED = frozenset({"power", "energy", "data", "bitrate", "frequency", "voltage"})
"""Dimensions in which `m` and `M` are a million million apart."""
_LOOSE = frozenset({"points", "calories", "ton", "tons", "tonne", "tonnes", "t"})
"""A dimension and spellings that good prose, but no arithmetic, holds to be the same."""
_SYMBOL = 3
"""The most letters of a unit whose case matters."""


def ungrouped(text: str) -> str:
    """`text` without the separators of thousands."""
    return _GROUPED.sub(lambda number: number[0].replace(number[1], ""), text)


def quantity(text: str, *, percent: bool) -> tuple[Hashable, Hashable] | None:
    """A number and its unit.

    Args:
        text: Nothing but a quantity.
        percent: Whether bare numbers are percentages; else `50%` is one half.

    Returns:
        The quantity in base units, and the number as written, the same where there is no unit; `None` for anything
        else.
    """
    match = _QUANTITY.fullmatch(_HEDGE.sub("", text.strip()))
    value = _number(match) if match else None
    if match is None or value is None:
        return None
    scale, unit = _magnitude((match["unit"] or "").strip())
    if unit and match["currency"]:
        return None
    try:
        value *= Polynomial.number(-scale if match["sign"] else scale)
        if not unit and not match["currency"]:
            return value.key, value.key
        dimension, factor = _dimension(match["currency"] or unit)
        if dimension == "percent":
            shown = value if percent else value * Polynomial.number(Fraction(1, 100))
            return shown.key, shown.key
        return ("quantity", dimension, (value * Polynomial.number(factor)).key), value.key
    except TooHard:
        return None


def _number(match: re.Match[str]) -> Polynomial | None:
    text = match["number"].strip()
    if text[0].isalpha() and text[0] != "π":
        read = read_number(text) if set(text.lower().split("-")) <= tables()["words"].keys() else None
        return Polynomial.number(Fraction(read[0])) if read else None
    if _COMMA.fullmatch(text) and (match["unit"] or match["currency"]):
        text = text.replace(",", ".")
    return normal_form(ungrouped(text))


def _magnitude(unit: str) -> tuple[Fraction, str]:
    """The magnitude that a unit begins with, and what is left: `million dollars` -> 1,000,000, `dollars`."""
    word, _, rest = unit.partition(" ")
    if len(word) > 1 and word.lower() in tables()["magnitudes"]:
        return Fraction(str(tables()["magnitudes"][word.lower()])), rest.strip()
    return Fraction(1), unit


def _dimension(unit: str) -> tuple[str, Fraction]:
    """The dimension of a known unit and its factor; any other words are a dimension of their own."""
    unit = " ".join(unit.rstrip(".").split())
    known = _units().get(unit.lower())
    if known and (unit.islower() or len(unit) > _SYMBOL or known[0] in _CURRENCIES or not unit.isalpha()):
        return known
    words = (word.lower().removesuffix("s") if len(word) > _SYMBOL else word for word in unit.split())
    return " ".join(words), Fraction(1)


@cache
def _units() -> dict[str, tuple[str, Fraction]]:
    return {
        spelling: (dimension, Fraction(str(factor)))
        for dimension, units in tables()["units"].items()
        for factor, *spellings in units.values()
        for spelling in spellings
        if not _LOOSE & {dimension, spelling}
        and not (dimension in _CASED and (len(spelling) <= _SYMBOL or spelling.endswith(("bps", "/s"))))
    }
