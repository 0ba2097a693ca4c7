"""Numbers with what stands around them: currency, magnitude, percent, unit."""

import re
from collections.abc import Hashable
from fractions import Fraction

from fusion_tool.grounding.numerals import read_number, tables
from fusion_tool.routing.closed.asked import Asked
from fusion_tool.routing.closed.expression import normal_form
from fusion_tool.routing.closed.polynomial import Polynomial, TooHard
from fusion_tool.routing.closed.units import unit

_HEDGE = re.compile(r"^(?:exactly|approximately|approx\.?|about|around|roughly|~|≈|=)\s*", re.IGNORECASE)
_SIGNS = "$€£¥₹"
_QUANTITY = re.compile(
    rf"(?P<sign>[-\u2212])?(?P<currency>us\$|[{_SIGNS}]|(?:usd|eur|gbp|chf|inr)(?=\s))?\s?"
    rf"(?P<number>[-\u2212+\d.√(π](?:[^A-Za-z%°µμ¢²³{_SIGNS}]|(?<=\d)e(?=[-+]?\d))*?|[a-z]+(?:-[a-z]+)?)"
    rf"(?:(?P<gap>[\s-])?(?P<unit>(?!e[-+]?\d)[A-Za-z°%µμ¢{_SIGNS}].*))?",
    re.IGNORECASE,
)
_GROUPED = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:([,'\u00a0\u2009\u202f ])\d{3})(?:\1\d{3})*(?!\d)")
_COMMA = re.compile(r"\d+,\d{1,2}")


def ungrouped(text: str) -> str:
    """`text` without the separators of thousands."""
    return _GROUPED.sub(lambda number: number[0].replace(number[1], ""), text)


def quantity(text: str, asked: Asked) -> tuple[Hashable, Hashable] | None:
    """A number and its unit.

    Args:
        text: Nothing but a quantity.
        asked: Where the question asks for a percentage, bare numbers are percentages; else `50%` is one half.

    Returns:
        The quantity in base units, and the number to which it is equal where the unit was left out: the quantity
        itself where there is none, or where the question speaks of another unit of its dimension. `None` for
        anything else.
    """
    match = _QUANTITY.fullmatch(_HEDGE.sub("", text.strip()))
    value = _number(match) if match else None
    if match is None or value is None:
        return None
    scale, words = _magnitude((match["unit"] or "").strip())
    if words and match["currency"]:
        return None
    try:
        value *= Polynomial.number(-scale if match["sign"] else scale)
        if not words and not match["currency"]:
            return value.key, value.key
        return _measured(value, unit(match["currency"] or words, apart=bool(match["gap"])), asked)
    except TooHard:
        return None


def _measured(value: Polynomial, known: tuple[str, Fraction] | None, asked: Asked) -> tuple[Hashable, Hashable] | None:
    if known is None:
        return None
    dimension, factor = known
    if dimension == "percent":
        share = value if asked.percent else value * Polynomial.number(Fraction(1, 100))
        return share.key, share.key
    key = ("quantity", dimension, (value * Polynomial.number(factor)).key)
    others = any(dimension == other and factor != worth for other, worth in asked.units)
    return key, key if others else value.key


def _number(match: re.Match[str]) -> Polynomial | None:
    text = match["number"].strip()
    if text[0].isalpha() and text[0] != "π":
        read = read_number(text) if set(text.lower().split("-")) <= tables()["words"].keys() else None
        return Polynomial.number(Fraction(read[0])) if read else None
    if _COMMA.fullmatch(text) and (match["unit"] or match["currency"]):
        text = text.replace(",", ".")
    return normal_form(ungrouped(text))


def _magnitude(words: str) -> tuple[Fraction, str]:
    """The magnitude that a unit begins with, and what is left: `million dollars` -> 1,000,000, `dollars`."""
    word, _, rest = words.partition(" ")
    if len(word) > 1 and word.lower() in tables()["magnitudes"]:
        return Fraction(str(tables()["magnitudes"][word.lower()])), rest.strip()
    return Fraction(1), words
