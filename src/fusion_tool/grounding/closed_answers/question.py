"""What a question says about the form of its answer, and the units that answers and questions name.

A unit has a worth only where that is exact in arithmetic; any other ("apples", "calories") is a dimension of its own,
named by its words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from fusion_tool.grounding.quantities import load_tables

_CURRENCIES = frozenset({"usd", "eur", "gbp", "jpy", "inr", "cny", "chf"})
_CASED = frozenset({"power", "energy", "data", "bitrate", "frequency", "voltage"})
"""Dimensions in which the case of a prefix counts: `mW` and `MW` are a factor of 10⁹ apart."""
_LOOSE = frozenset({"points", "calories", "ton", "tons", "tonne", "tonnes", "t"})
"""Dimensions and spellings that the audit of prose may treat as one and exact comparison may not: there are several
tons and two calories."""
_SYMBOL = 3
"""The most letters of a unit whose case matters."""
_MAX_WORDS = 4
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


def parse_unit(text: str, *, is_separate: bool) -> tuple[str, Fraction] | None:
    """Return the dimension of a unit and its worth in the dimension's base unit; `None` for what is no unit.

    Args:
        text: What follows the number. Up to four words that name no known unit are a dimension of their own.
        is_separate: A blank stands between number and unit; words that are glued to a number are no unit.
    """
    text = " ".join(text.rstrip(".").split())
    unit = _known_units().get(text.lower())
    # The case of a symbol counts ("Mm" is no millimetre), but not that of a currency or of a whole word.
    if unit and (text.islower() or len(text) > _SYMBOL or unit[0] in _CURRENCIES or not text.isalpha()):
        return unit
    words = text.split()
    if (
        not is_separate
        or not _PHRASE.fullmatch(text)
        or len(words) > _MAX_WORDS
        or _NOT_UNITS & {word.lower() for word in words}
    ):
        return None
    return " ".join(word.lower().removesuffix("s") if len(word) > _SYMBOL else word for word in words), Fraction(1)


def units_of(question: str) -> frozenset[tuple[str, Fraction]]:
    """Return the known units that `question` speaks of."""
    words = re.findall(r"[A-Za-z]+(?:/[A-Za-z]+)?|[$€£¥₹¢]", question.lower())
    # No single letters: "m" and "g" in a question are mostly variables.
    return frozenset(
        _known_units()[word] for word in words if word in _known_units() and (len(word) > 1 or not word.isalpha())
    )


@cache
def _known_units() -> dict[str, tuple[str, Fraction]]:
    return {
        spelling: (dimension, Fraction(str(factor)))
        for dimension, units in load_tables()["units"].items()
        for factor, *spellings in units.values()
        for spelling in spellings
        if not _LOOSE & {dimension, spelling}
        and not (dimension in _CASED and (len(spelling) <= _SYMBOL or spelling.endswith(("bps", "/s"))))
    }


# Broad on purpose, as `_OPEN` below: in doubt a question is about code or asks for prose. Both make the comparison
# stricter, and what it leaves undecided a judge decides.
_CODE = re.compile(
    r"```|`[^`\n]+`|\[PYTHON\]|^\s*(?:def|class|import|from|assert|fn|func|public|let|const|var)\s\w.*[=({:;]|\bassert\s\w+\("
    r"|console\.log|\bprint\w*\(|^\s*#include\b|=>|\bSELECT\b.*\bFROM\b",
    re.MULTILINE,
)
_LETTERS = r"(?:\(([A-Ja-j])\)|([A-J])[.):]|([a-j])\))"
_OPTION = re.compile(rf"(?:^|(?<=[\s;,])){_LETTERS}\s+(\S.*?)(?=[;,]?\s+{_LETTERS}\s|\s*$)", re.MULTILINE)
_YES_OR_NO = re.compile(
    r"\b(?:true or false|yes or no|yes/no|true/false)\b"
    r"|(?:^|[.?!:,]\s+|\n)(?:is|are|was|were|do|does|did|can|could|will|would|has|have|should|must|may)\s[^?.]*\?",
    re.IGNORECASE,
)
_PERCENT = re.compile(
    r"\b(?:what|which|how many|by what|by how many|find the|calculate the|compute the|as a|in)\s+(?:\w+\s+){0,2}?"
    r"(?:percent(?:age)?|per cent)\b|\bwhat\s+%",
    re.IGNORECASE,
)
# Questions whose answer is an equation, such as a line's, in which the letters matter.
_EQUATION = re.compile(
    r"\b(?:equations?|asymptotes?|lines?|axis|axes|directrix|tangents?|which variable)\b", re.IGNORECASE
)
_OPEN = re.compile(
    r"^\W*(?:please\s+)?(?:why|how (?:do|does|did|can|could|should|would|to|is|are|has|have|come)|explain|describe"
    r"|write|draft|compare|summari[sz]e|discuss|list|suggest|review|propose|design|outline|tell me|give me|help|plan"
    r"|rewrite)\b"
    r"|\b(?:explain|describe|discuss|justify|prove|compare)\b",
    re.IGNORECASE,
)
# Several questions in one: their answers' order is anybody's choice.
_PARTS = re.compile(
    r"\?.+\?|\band\s+(?:what|who|when|where|how|which|why)\b|^\s*\(?[ab1][.)]\s", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """The form of answer that a question expects.

    Args:
        code: It is about code, whose output is compared to the letter.
        options: The choices it offers, by their capital letter; empty where it offers none.
        yes_or_no: It can be answered by yes, no, true or false.
        percent: It asks for a percentage, so that a bare number is one.
        units: The known units that the asking sentence speaks of: dimension, and worth in the dimension's base.
        equation: It asks for an equation, in which `x = 2` is not `y = 2`.
        open: It asks for prose, or for several things, so that only a marked answer counts.
    """

    code: bool
    options: Mapping[str, str]
    yes_or_no: bool
    percent: bool
    units: frozenset[tuple[str, Fraction]]
    equation: bool
    open: bool


def expected_answer(question: str) -> ExpectedAnswer:
    """Return what `question` says about the form of its answer."""
    choices = options(question)
    return ExpectedAnswer(
        code=bool(_CODE.search(question)),
        options=choices,
        yes_or_no=bool(_YES_OR_NO.search(question)),
        percent=bool(_PERCENT.search(question)),
        units=units_of(_asking_sentence(question)),
        equation=bool(_EQUATION.search(question)),
        open=bool(_OPEN.search(question) or (not choices and _PARTS.search(question))),
    )


def options(question: str) -> dict[str, str]:
    """Return the choices that `question` lists from A on, without gaps; empty where there are fewer than two."""
    choices: dict[str, str] = {}
    for match in _OPTION.finditer(question):
        letter = (match[1] or match[2] or match[3]).upper()
        # Only the next letter of the alphabet continues the list: "vitamin (D)" is no option.
        if letter == chr(ord("A") + len(choices)):
            choices[letter] = match[4].strip(" ;,.")
    return choices if len(choices) > 1 else {}


def _asking_sentence(question: str) -> str:
    """Return the last sentence that ends in a question mark, else the last sentence."""
    sentences = re.split(r"(?<=[.?!])\s+", question.strip())
    return next((sentence for sentence in reversed(sentences) if sentence.endswith("?")), sentences[-1])
