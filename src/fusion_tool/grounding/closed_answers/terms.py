"""Dates, quantities and terms as values, and the lists and relations made of them."""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from fusion_tool.grounding.closed_answers.algebra import Polynomial, TooComplexError
from fusion_tool.grounding.closed_answers.expressions import parse_polynomial
from fusion_tool.grounding.closed_answers.question import ExpectedAnswer, parse_unit
from fusion_tool.grounding.dates import find_dates
from fusion_tool.grounding.quantities import load_tables, read_number

_PREPOSITION = re.compile(r"^(?:on|in|at)\s+", re.IGNORECASE)
_SLASHED = re.compile(r"(\d{1,2})[/.](\d{1,2})[/.]\d{4}")
_TWELVE = re.compile(r"(?P<hour>1[0-2]|0?[1-9])(?:[:.](?P<minute>[0-5]\d))?\s*(?P<half>[ap])\.?m\.?", re.IGNORECASE)
_TWENTY_FOUR = re.compile(r"(?P<hour>1[3-9]|2[0-3]):(?P<minute>[0-5]\d)")
_MONTHS = 12


def parse_date_time(text: str) -> Hashable | None:
    """Parse a date or a time of day; `None` for anything else, bare years and `03/04/2024` included."""
    text = _PREPOSITION.sub("", text.strip())
    if clock := _TWELVE.fullmatch(text):
        return ("time", int(clock["hour"]) % 12 + 12 * (clock["half"].lower() == "p"), int(clock["minute"] or 0))
    if clock := _TWENTY_FOUR.fullmatch(text):
        return ("time", int(clock["hour"]), int(clock["minute"]))
    # Day and month cannot be told apart here; that `find_dates` reads the day first is good enough for the audit only.
    slashed = _SLASHED.fullmatch(text)
    if slashed and max(int(slashed[1]), int(slashed[2])) <= _MONTHS and slashed[1] != slashed[2]:
        return None
    dates = find_dates(text)
    if len(dates) != 1 or (dates[0].start, dates[0].end) != (0, len(text.rstrip("."))):
        return None
    date = dates[0]
    # A bare year stays a number: 1999 may be the answer to a sum.
    return ("date", date.year, date.month, date.day, date.quarter) if date.month or date.quarter else None


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


def strip_grouping(text: str) -> str:
    """Return `text` without the separators of thousands."""
    return _GROUPED.sub(lambda number: number[0].replace(number[1], ""), text)


def parse_quantity(text: str, expected: ExpectedAnswer) -> tuple[Hashable, Hashable] | None:
    """Parse a number and its unit.

    Args:
        text: Nothing but a quantity.
        expected: What the question expects. Where it asks for a percentage, a bare number is one; else `50%` is one
            half.

    Returns:
        The key of the quantity in base units, and the key of the bare number that counts as equal to it, for an
        answer that leaves the unit out. The two are the same where no unit is named, or where the question names
        another unit of the dimension, so that a bare number would be in that one. `None` for anything else.
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
        return _with_unit(value, parse_unit(match["currency"] or words, is_separate=bool(match["gap"])), expected)
    except TooComplexError:
        return None


def _with_unit(
    value: Polynomial, unit: tuple[str, Fraction] | None, expected: ExpectedAnswer
) -> tuple[Hashable, Hashable] | None:
    if unit is None:
        return None
    dimension, factor = unit
    if dimension == "percent":
        share = value if expected.percent else value * Polynomial.number(Fraction(1, 100))
        return share.key, share.key
    key = ("quantity", dimension, (value * Polynomial.number(factor)).key)
    others = any(dimension == other and factor != worth for other, worth in expected.units)
    return key, key if others else value.key


def _number(match: re.Match[str]) -> Polynomial | None:
    text = match["number"].strip()
    if text[0].isalpha() and text[0] != "π":
        number = read_number(text) if set(text.lower().split("-")) <= load_tables()["words"].keys() else None
        return Polynomial.number(Fraction(number[0])) if number else None
    # "3,5 kg" has a decimal comma; without a unit "3,5" may be a list of two numbers.
    if _COMMA.fullmatch(text) and (match["unit"] or match["currency"]):
        text = text.replace(",", ".")
    return parse_polynomial(strip_grouping(text))


def _magnitude(words: str) -> tuple[Fraction, str]:
    """Return the magnitude that a unit begins with, and the rest: `million dollars` is 1,000,000 and `dollars`."""
    # Whole words only: an `m` may be a million, but also metres.
    word, _, rest = words.partition(" ")
    if len(word) > 1 and word.lower() in load_tables()["magnitudes"]:
        return Fraction(str(load_tables()["magnitudes"][word.lower()])), rest.strip()
    return Fraction(1), words


_DEEPEST = 4
_LABEL = re.compile(r"([A-Za-z\u03b1-\u03c9](?:_\w+)?(?:\(\w\))?'?)\s*=\s*([^=<>≤≥≠]+)")
_RELATION = re.compile(r"(<=|>=|!=|[=<>≤≥≠\u222a])")
_JUNCTION = re.compile(r"(?:^|\s)(?:and|or)\s+")
_LETTER = re.compile(r"[A-Za-z]")
_BRACKETS = {"(": ")]", "[": ")]", "{": "}"}


@dataclass(frozen=True, slots=True)
class Value:
    """The value of an answer.

    Args:
        key: Equal for equal answers.
        bare_key: The key of its number without the unit; `key` itself where there is no unit.
        is_typed: It is more than words: a number, a date, a choice, yes or no, a literal, a term.
    """

    key: Hashable
    bare_key: Hashable
    is_typed: bool = True

    @classmethod
    def of(cls, key: Hashable, *, is_typed: bool = True) -> "Value":
        """Return a value without a unit."""
        return cls(key, key, is_typed)


def parse_term(text: str, expected: ExpectedAnswer, depth: int = 0) -> Value | None:
    """Parse the value of a date, a quantity, a term, a list or a relation; `None` for words.

    Args:
        text: Plain text, no LaTeX.
        expected: What the question expects.
        depth: The number of brackets, labels and relations around it; beyond four nothing is read.
    """
    if depth > _DEEPEST:
        return None
    return next((value for value in _readings(text, expected, depth) if value), None)


def _readings(text: str, expected: ExpectedAnswer, depth: int) -> Iterator[Value | None]:
    # A date before a quantity, or "12 March" would be twelve of some unit; a quantity before a term, which has none.
    if date := parse_date_time(text):
        yield Value.of(date)
    elif keys := parse_quantity(text, expected):
        yield Value(*keys)
    # "x = 2" answers "what is x" as "2" does, except where the equation itself was asked for.
    elif (label := _LABEL.fullmatch(text)) and not expected.equation:
        yield parse_term(label[2].strip(), expected, depth + 1)
    elif _LETTER.fullmatch(text):  # alone it is a word
        yield Value.of(("letter", text)) if depth else None
    else:
        polynomial = parse_polynomial(strip_grouping(text))
        yield Value.of(polynomial.key) if polynomial else None
        yield _list(text, expected, depth)
        yield _relation(text, expected, depth)


def _list(text: str, expected: ExpectedAnswer, depth: int) -> Value | None:
    """Parse several values, in brackets or joined by commas; braces, `and` and `or` leave their order open."""
    opening, inner, closing = "", text, ""
    if text and text[0] in _BRACKETS and text[-1] in _BRACKETS[text[0]] and _is_bracketed(text):
        opening, inner, closing = text[0], text[1:-1], text[-1]
    parts = [part.strip() for piece in _split(inner) for part in _JUNCTION.split(piece) if part.strip()]
    if len(parts) <= 1 and not opening:
        return None
    # In "x = 1, y = 2" the labels tell the parts apart; in "x = 1 or x = 2" they say nothing, and may be left out.
    labels = {label[1] if (label := _LABEL.fullmatch(part)) else "" for part in parts}
    inside = replace(expected, equation=expected.equation or len(labels) > 1)
    keys = [value.key for part in parts if (value := parse_term(part, inside, depth + 1))]
    if len(keys) < len(parts):
        return None
    any_order = opening == "{" or _JUNCTION.search(inner)
    return Value.of(("set", frozenset(keys)) if any_order else (opening, *keys, closing))


def _relation(text: str, expected: ExpectedAnswer, depth: int) -> Value | None:
    """Parse an equation, an inequality or a union."""
    sides = _RELATION.split(text)
    values = [parse_term(side.strip(), expected, depth + 1) for side in sides[::2]] if len(sides) > 1 else []
    keys = [value.key for value in values if value]
    return Value.of(("relation", *sides[1::2], *keys)) if keys and len(keys) == len(values) else None


def _is_bracketed(text: str) -> bool:
    """Tell whether the first bracket closes with the last character, as it does not in `(0, 1) U (2, 3)`."""
    # No kind of bracket is told from another: half-open intervals, `[0, 1)`, close with the other one.
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return at == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """Split at the commas and semicolons that stand in no bracket and group no thousands."""
    depth, parts = 0, [""]
    for sign in strip_grouping(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]
