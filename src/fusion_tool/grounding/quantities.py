"""The quantities of a text: numbers with their units, ranges and hedges, made comparable.

Numbers as they are written: digits with separators, number words, magnitudes.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias

DIGITS = r"(?:\d{1,3}(?:[,.'\u00a0\u2009\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?)"
"""A number in digits; a comma or a stop before exactly three digits separates thousands, else decimals."""

_GAPS = re.compile(r"['\u00a0\u2009\u202f ]")
_BY_COMMA = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_BY_STOP = re.compile(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?")


@cache
def load_tables() -> dict[str, Any]:
    """Return the tables of `quantities.toml`: words, magnitudes, bounds and units."""
    return tomllib.loads(resources.files(__package__).joinpath("quantities.toml").read_text("utf-8"))


@cache
def number_word_pattern() -> str:
    """Return the pattern of a number word up to ninety-nine, or of the "a" in "a million"."""
    ones, magnitudes = alternation(load_tables()["words"]), alternation(load_tables()["magnitudes"])
    return rf"(?:\b(?:{ones})(?:[- ](?:{ones}))?\b|\ba\b(?=[ -](?:{magnitudes})\b))"


def alternation(words: Any) -> str:
    """Return a pattern of any of `words`, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def read_number(text: str) -> tuple[float, float] | None:
    """Return the value of a number without magnitude and what its last digit is worth; `None` for "a"."""
    words = load_tables()["words"]
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


Bound: TypeAlias = Literal["", "about", "above", "below"]

_SIGN = r"(?:us\$|[$€£¥₹]|(?:usd|eur|gbp|chf|inr)\s)"
_BEGINS = re.compile(r"(?<![\w.])(?<![A-Za-z]-)(?:\d|[A-Za-z]+)")
_BEFORE = 24
"""Characters before a number that are searched for a hedge or a currency."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as a text states it.

    Args:
        value: Its value in the base unit of `dimension`.
        dimension: `length`, `usd`, `percent`, ... (see `quantities.toml`); empty for counts.
        step: What its last written digit is worth, in the base unit: 0.1 million for "1.2 million".
        bound: How the text hedges the number.
        noun: The word that follows a count, lower case; empty otherwise.
        start: Offset of the number's first character in the text.
        end: Offset behind the last character, unit included.
    """

    value: float
    dimension: str
    step: float
    bound: Bound
    noun: str
    start: int
    end: int


@cache
def _units() -> dict[str, tuple[str, float]]:
    return {
        spelling: (dimension, float(factor))
        for dimension, units in load_tables()["units"].items()
        for factor, *spellings in units.values()
        for spelling in spellings
    }


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What may stand before a number, and the number with all that follows."""
    units, magnitude = alternation(_units()), alternation(load_tables()["magnitudes"])
    bounds = "|".join(f"(?P<{name}>{alternation(words)})" for name, words in load_tables()["bounds"].items())
    before = re.compile(
        rf"(?:(?<!\w)(?:{bounds})\s*(?:an?\s)?)?(?P<between>\b(?:between|from)\s)?(?P<sign>{_SIGN})?\s?"
        r"(?P<minus>[-\u2212])?$",
        re.IGNORECASE,
    )
    number = re.compile(
        rf"(?P<low>{DIGITS}|{number_word_pattern()})(?P<rank>(?:st|nd|rd|th)\b)?(?:[\s-]?(?P<lowm>{magnitude})\b)?"
        rf"(?:(?:\s?(?:{units})?\s?[-\u2013\u2014]|\s?\b(?:to|by)\b|\s?\u00d7|\s?(?P<and>and)\b)\s?{_SIGN}?"
        rf"(?P<high>{DIGITS})(?:[\s-]?(?P<highm>{magnitude})\b)?(?!-?\d))?(?:\s?(?P<sign2>[$€£¥₹]))?"
        rf"(?:[\s-]?(?P<unit>{units})(?![\w²³]))?(?:(?=[\s-](?P<noun>[a-z][a-z-]+)))?",
        re.IGNORECASE,
    )
    return before, number


def find_quantities(text: str) -> list[Quantity]:
    """Return the quantities of `text`, in order; dates must have been blanked out before (see `dates`)."""
    before, number = _patterns()
    spelled_out = load_tables()["words"].keys() | {"a"}
    found: list[Quantity] = []
    end = 0
    for start in _BEGINS.finditer(text):
        if start.start() < end or (start[0].isalpha() and start[0].lower() not in spelled_out):
            continue
        prefix = before.search(text[max(0, start.start() - _BEFORE) : start.start()])
        match = number.match(text, start.start())
        if prefix is None or match is None:
            continue
        if match["and"] and not prefix["between"]:
            match = number.match(text, start.start(), match.start("and")) or match
        if read := _parse_quantities(prefix, match):
            found.extend(read)
            end = match.end()
    return found


def _parse_quantities(prefix: re.Match[str], match: re.Match[str]) -> list[Quantity]:
    """One quantity; two for a range, which is borne out where both its ends are."""
    money = bool(prefix["sign"] or match["sign2"])
    own, letter = _magnitude(match["lowm"], match, money=money)
    other, _ = _magnitude(match["highm"], match, money=money)
    low = read_number(match["low"]) or ((1.0, 1.0) if own != 1.0 else None)
    high = read_number(match["high"]) if match["high"] else None
    unit = match["unit"] or prefix["sign"] or match["sign2"] or letter
    symbol = len(unit) == 1 and unit in "GTSHML"  # "5G" is a name, no mass
    pronoun = match["low"].lower() == "one" and own == 1.0 and not unit
    if low is None or symbol or pronoun or match["rank"]:
        return []
    dimension, factor = _units().get(unit.strip().lower(), ("", 1.0))
    bound: Bound = next((name for name in ("about", "above", "below") if prefix[name]), "")
    noun = "" if dimension else (match["noun"] or "").lower()

    def quantity(number: tuple[float, float], scale: float) -> Quantity:
        value, base = _temperature(number[0] * scale, dimension)
        return Quantity(value, base, number[1] * abs(scale), bound, noun, match.start(), match.end())

    sign = -factor if prefix["minus"] else factor
    if high is None:
        return [quantity(low, sign * own)]
    return [quantity(low, sign * (own if own != 1.0 else other)), quantity(high, factor * other)]


def _magnitude(word: str | None, match: re.Match[str], *, money: bool) -> tuple[float, str]:
    """The factor of a magnitude; a lone "m" or "b" is one only as money or in upper case, else a unit."""
    if not word:
        return 1.0, ""
    if word in {"m", "b"} and not money:
        return 1.0, word
    if len(word) == 1 and f" {word}" in match[0]:
        return 1.0, word.lower()
    return float(load_tables()["magnitudes"][word.lower()]), ""


def _temperature(value: float, dimension: str) -> tuple[float, str]:
    if dimension == "fahrenheit":
        return (value - 32) / 1.8, "celsius"
    if dimension == "kelvin":
        return value - 273.15, "celsius"
    return value, dimension
