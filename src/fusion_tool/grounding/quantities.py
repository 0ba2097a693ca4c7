"""The quantities of a text: numbers with their units, ranges and hedges, in base units, so that they compare.

Numbers may be digits with separators or number words, with a magnitude ("1.2 million") or without.
"""

import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias

DIGITS = r"(?:\d{1,3}(?:[,.'\u00a0\u2009\u202f ]\d{3})+(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)?)"
"""A number in digits, with or without separators of thousands; `read_number` tells these from a decimal point."""

_GAPS = re.compile(r"['\u00a0\u2009\u202f ]")
# "1,234" is a thousand, and "1.234" one and a bit: in English text a lone point is a decimal's. Only two of them, as in
# "1.234.567", can be nothing but separators.
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
    """Return a pattern of any of `words`, longest first: `re` takes the first that fits, "m" before "metres"."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def read_number(text: str) -> tuple[float, float] | None:
    """Return the value of a number without magnitude, and the value of a 1 in its last place; `None` for "a"."""
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
# Not within a word, a decimal or a name with a hyphen: "A380", "COVID-19".
_BEGINS = re.compile(r"(?<![\w.])(?<![A-Za-z]-)(?:\d|[A-Za-z]+)")
_BEFORE = 24
"""Characters before a number that are searched for a hedge or a currency."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as a text states it.

    Args:
        value: Its value in the base unit of `dimension`.
        dimension: `length`, `usd`, `percent`, ... (see `quantities.toml`); empty for counts.
        step: The value of a 1 in its last written place, in the base unit: 0.1 million for "1.2 million".
        bound: How the text hedges the number; empty where it does not.
        noun: The word that follows a count, lower case; empty otherwise.
        number: Its value as written, without its unit.
        start: Offset of the number's first character in the text.
        end: Offset behind the last character, unit included.
    """

    value: float
    dimension: str
    step: float
    bound: Bound
    noun: str
    number: float
    start: int
    end: int


# "3.2 x 10^6" with any sign of multiplication, "3.2e6", "2^16 - 1", raised digits; a minus may be a hyphen or U+2212.
_EXPONENT = r"\{?[-+\u2212]?\d{1,3}\}?|[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+"
_POWER = (
    rf"(?:\s?(?:[x\u00d7\u00b7\u22c5*]|\\times)\s?10(?:\s?(?:\^|\*\*)\s?)?(?P<times>{_EXPONENT})(?![\d.,]\d)"
    rf"|e(?P<e>[-+\u2212]?\d{{1,3}})\b|\s?(?:\^|\*\*)\s?(?P<power>{_EXPONENT})(?P<less>\s[-\u2212]\s1\b)?"
    r"|(?<=10)(?P<raised>[\u207a\u207b]?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+))?"
)
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b\u2212", "0123456789+--", "{}"
)
_VERSION = re.compile(r"\.\d")
_HOURS_MINUTES = re.compile(
    r"(?i:(?P<hours>\d{1,3})(?::(?P<clock>[0-5]\d)\s?(?:h|hrs?|hours)|\s?h\s?(?P<minutes>[0-5]\d)(?:\s?m(?:ins?)?)?))"
    r"(?![.,:]?\d|\w)"
)
"""A duration in one word, or with its last unit left out: "9:10 h", "11h20", "11 h 20"."""
_JOINT = {"time": re.compile(r",?\s(?:and\s)?"), "length": re.compile(r"\s?"), "mass": re.compile(r"\s?")}
"""What stands between the parts of a quantity in two units, by its dimension: "2 hours and 5 minutes", "5 ft 11 in"."""


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
    """Return the pattern of what may stand before a number, and of the number with all that follows."""
    units, magnitude = alternation(_units()), alternation(load_tables()["magnitudes"])
    bounds = "|".join(f"(?P<{name}>{alternation(words)})" for name, words in load_tables()["bounds"].items())
    before = re.compile(
        rf"(?:(?<!\w)(?:{bounds})\s*(?:an?\s)?)?(?P<between>\b(?:between|from)\s)?(?P<sign>{_SIGN})?\s?"
        r"(?P<minus>[-\u2212])?$",
        re.IGNORECASE,
    )
    number = re.compile(
        rf"(?P<low>{DIGITS}|{number_word_pattern()}){_POWER}(?P<rank>(?:st|nd|rd|th)\b)?(?:[\s-]?(?P<lowm>{magnitude})\b)?"
        rf"(?:(?:\s?(?:{units})?\s?[-\u2013\u2014]|\s?\b(?:to|by)\b|\s?\u00d7|\s?(?P<and>and)\b)\s?{_SIGN}?"
        rf"(?P<high>{DIGITS})(?:[\s-]?(?P<highm>{magnitude})\b)?(?!-?\d))?(?:\s?(?P<sign2>[$€£¥₹]))?"
        rf"(?:[\s-]?(?P<unit>{units})(?![\w²³]))?(?:(?=[\s-](?P<noun>[a-z][a-z-]+)))?",
        re.IGNORECASE,
    )
    return before, number


def find_quantities(text: str) -> list[Quantity]:
    """Return the quantities of `text`, in order; dates must be blanked out before (see `dates.blank_spans`)."""
    before, number = _patterns()
    number_words = load_tables()["words"].keys() | {"a"}
    quantities: list[Quantity] = []
    end = 0
    # Two steps, since the full pattern is slow: `_BEGINS` finds where a number may start, and only there it is tried.
    for start in _BEGINS.finditer(text):
        if start.start() < end or (start[0].isalpha() and start[0].lower() not in number_words):
            continue
        prefix = before.search(text[max(0, start.start() - _BEFORE) : start.start()])
        match = number.match(text, start.start())
        if prefix is None or match is None:
            continue
        if duration := _HOURS_MINUTES.match(text, start.start()):
            quantities.append(_duration(prefix, duration))
            end = duration.end()
            continue
        # "5.4.0" is a version and counts nothing.
        if _VERSION.match(text, match.end("low")) and match["low"][-1].isdigit():
            end = match.end()
            continue
        # "Between 5 and 10" is a range; "5 and 10" are two numbers, of which this is the first.
        if match["and"] and not prefix["between"]:
            match = number.match(text, start.start(), match.start("and")) or match
        if parts := _parse_quantities(prefix, match):
            if len(parts) == 1 and quantities and _continues(part := parts[0], last := quantities[-1], text):
                quantities[-1] = replace(last, value=last.value + part.value, step=part.step, end=part.end)
            else:
                quantities.extend(parts)
            end = match.end()
    return quantities


def _duration(prefix: re.Match[str], match: re.Match[str]) -> Quantity:
    hours, minutes = float(match["hours"]), float(match["clock"] or match["minutes"])
    return Quantity(3600 * hours + 60 * minutes, "time", 60.0, _bound(prefix), "", hours, *match.span())


def _continues(part: Quantity, last: Quantity, text: str) -> bool:
    """Tell whether two quantities are one in two units: "11 hours 20 minutes", "5 ft 11 inches"."""
    joint = _JOINT.get(part.dimension) if part.dimension == last.dimension and not part.bound else None
    # As long as the part is less than a 1 in the last place of what stands before it, the two are one figure.
    return joint is not None and part.value < last.step and bool(joint.fullmatch(text[last.end : part.start]))


def _bound(prefix: re.Match[str]) -> Bound:
    return next((name for name in ("about", "above", "below") if prefix[name]), "")


def _parse_quantities(prefix: re.Match[str], match: re.Match[str]) -> list[Quantity]:
    """Return one quantity; two for a range, which is borne out where both its ends are; none for what is no figure."""
    is_money = bool(prefix["sign"] or match["sign2"])
    low_magnitude, letter = _magnitude(match["lowm"], match, is_money=is_money)
    high_magnitude, _ = _magnitude(match["highm"], match, is_money=is_money)
    # "A million": `read_number` has no value for the "a", which is 1 where a magnitude follows.
    low = read_number(match["low"]) or ((1.0, 1.0) if low_magnitude != 1.0 else None)
    low = _raise(low, match) if low else None
    high = read_number(match["high"]) if match["high"] else None
    unit = match["unit"] or prefix["sign"] or match["sign2"] or letter
    is_name = len(unit) == 1 and unit in "GTSHML"  # "5G" is a name, no mass
    # "One" without more is mostly a pronoun, and a rank, "the 3rd", counts nothing.
    is_pronoun = match["low"].lower() == "one" and low_magnitude == 1.0 and not unit
    if low is None or is_name or is_pronoun or match["rank"]:
        return []
    dimension, factor = _units().get(unit.strip().lower(), ("", 1.0))
    bound = _bound(prefix)
    # "38 million pounds" are money; nobody weighs by the million.
    if unit.lower() == "pounds" and low_magnitude != 1.0:
        dimension, factor = "gbp", 1.0
    noun = "" if dimension else (match["noun"] or "").lower()

    def quantity(number: tuple[float, float], scale: float) -> Quantity:
        value, base = _temperature(number[0] * scale, dimension)
        return Quantity(value, base, number[1] * abs(scale), bound, noun, number[0], match.start(), match.end())

    sign = -factor if prefix["minus"] else factor
    if high is None:
        return [quantity(low, sign * low_magnitude)]
    # "5 to 10 million": a magnitude behind the second number is that of both.
    low_scale = low_magnitude if low_magnitude != 1.0 else high_magnitude
    return [quantity(low, sign * low_scale), quantity(high, factor * high_magnitude)]


def _raise(number: tuple[float, float], match: re.Match[str]) -> tuple[float, float]:
    """Return a number and the value of a 1 in its last place with the power of ten, or the exponent, behind it."""
    power = match["power"] or match["raised"]
    exponent = power or match["times"] or match["e"]
    if not exponent:
        return number
    value, step = number
    try:
        scale = (value if power else 10.0) ** int(exponent.translate(_SUPERSCRIPTS))
    except (OverflowError, ZeroDivisionError):
        return number
    if power:
        return scale - (1.0 if match["less"] else 0.0), min(1.0, scale)
    return value * scale, step * scale


def _magnitude(word: str | None, match: re.Match[str], *, is_money: bool) -> tuple[float, str]:
    """Return the factor of a magnitude, and the letter that is a unit instead: "5m" is metres, "$5m" millions."""
    if not word:
        return 1.0, ""
    if word in {"m", "b"} and not is_money:
        return 1.0, word
    # "5M" is five million; with a blank between, a single letter is a unit.
    if len(word) == 1 and f" {word}" in match[0]:
        return 1.0, word.lower()
    return float(load_tables()["magnitudes"][word.lower()]), ""


def _temperature(value: float, dimension: str) -> tuple[float, str]:
    # The only units that a factor cannot convert: their zeros differ.
    if dimension == "fahrenheit":
        return (value - 32) / 1.8, "celsius"
    if dimension == "kelvin":
        return value - 273.15, "celsius"
    return value, dimension


_HEDGED, _PLAIN = 0.06, 0.025
"""Relative error forgiven to a rounded number with and without "about"; judged by hand, not measured."""
_BOUND_FACTOR = 1.25
"""How many times its bound a value may be before "more than" is no honest summary of it."""


def quantities_agree(claim: Quantity, source: Quantity) -> bool:
    """Return whether `source` bears out `claim`: same dimension, and the values agree as precisely as written.

    Args:
        claim: The claim's figure; "more than" and "less than" also agree with a value somewhat beyond them.
        source: The source's figure.
    """
    if claim.dimension != source.dimension or {claim.bound, source.bound} == {"above", "below"}:
        return False
    if claim.bound == "above":
        return claim.value <= source.value <= _BOUND_FACTOR * claim.value or (
            bool(source.bound) and _near(claim, source)
        )
    if claim.bound == "below":
        return claim.value >= source.value >= claim.value / _BOUND_FACTOR or (
            bool(source.bound) and _near(claim, source)
        )
    return _near(claim, source)


def _near(claim: Quantity, source: Quantity) -> bool:
    gap, size = abs(claim.value - source.value), max(abs(claim.value), abs(source.value))
    if claim.bound or source.bound:
        tolerance = _HEDGED * size
    else:
        # One of the two rounds the other only where it has fewer digits; 40 does not cover 42. The second limit is for
        # few digits: half of the last one of "2 million" would forgive a quarter of the value.
        step = max(claim.step, source.step) if claim.step != source.step else 0.0
        tolerance = min(step / 2, _PLAIN * size)
    # Conversion into base units leaves an error in the last bits of a float.
    return gap <= tolerance * (1 + 1e-9) + 1e-9 * size
