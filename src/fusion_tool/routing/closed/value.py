"""An answer's value: what is equal for equal answers, however they are written."""

import ast
import re
import warnings
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from fusion_tool.routing.closed.asked import Asked
from fusion_tool.routing.closed.expression import normal_form
from fusion_tool.routing.closed.latex import plain
from fusion_tool.routing.closed.moment import moment
from fusion_tool.routing.closed.quantity import quantity, ungrouped

_WORDS, _DEEPEST = 12, 4
_TRUTH = re.compile(r"(yes|no|true|false)\b(?=\s*$|\s*[.,;:!\u2013\u2014]|\s+-\s)", re.IGNORECASE)
_CHOICE = re.compile(r"(?:(?:option|choice|answer)\s+)?[(\[]?([A-Ja-j])[)\].:]*(?:\s*[-\u2013:]?\s+(\S.*))?", re.DOTALL)
_CHOICES = re.compile(r"(?:\(?[A-J]\)?)(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*)\(?[A-J]\)?)+")
_LABEL = re.compile(r"([A-Za-zΑ-ω](?:_\w+)?(?:\(\w\))?'?)\s*=\s*([^=<>≤≥≠]+)")
_RELATION = re.compile(r"(<=|>=|!=|[=<>≤≥≠∪∈])")
_BRACKETS = {"(": ")]", "[": ")]", "{": "}"}
_NO_ANSWER = re.compile(
    r"(?:i (?:don.t|do not|cannot|can.t)\b.*|unknown|unclear|not sure|n/?a|none|null|it depends\b.*|undetermined"
    r"|insufficient (?:information|data)|\?+|\.+|-+)\.?",
    re.IGNORECASE,
)
_ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
_CAPITALS = 4
"""So many capital letters in a row are emphasis; fewer, a name: `US`, `CO`."""


@dataclass(frozen=True, slots=True)
class Value:
    """What an answer says.

    Args:
        key: Equal keys, equal answers.
        written: The key of its number alone, where a unit stands beside it; else the key.
        typed: It is more than words: a number, a date, a choice, yes or no, a literal, a term.
    """

    key: Hashable
    written: Hashable
    typed: bool = True


def value_of(text: str, asked: Asked) -> Value | None:
    """The value of an answer, given nothing but the answer; `None` for prose, and for what answers nothing.

    Args:
        text: As its author wrote it, in markdown or LaTeX.
        asked: What the question wants.
    """
    if asked.options:
        return _choice(text, asked)
    truth = _TRUTH.match(text.strip()) if asked.yes_or_no else None
    if truth and (not asked.code or truth[0] == text.strip()):
        return _typed(("truth", truth[1].lower()))
    if asked.code:
        return _output(text)
    bare = plain(text).strip().rstrip(".").strip() if not text.strip().endswith("..") else plain(text)
    if not bare or _NO_ANSWER.fullmatch(bare):
        return None
    return _one(bare, asked) or _many(bare, asked) or _words(bare)


def _typed(key: Hashable) -> Value:
    return Value(key, key)


def _choice(text: str, asked: Asked) -> Value | None:
    """One of the options: its letter, its text, or both where they fit each other."""
    said = plain(text).strip().rstrip(".").strip()
    if _CHOICES.fullmatch(said):
        return _typed(("choices", frozenset(re.findall(r"\b[A-J]\b", said))))
    letter = _CHOICE.fullmatch(said)
    by_text = [key for key, option in asked.options.items() if _folded(plain(option)) == _folded(said)]
    if len(by_text) == 1:
        return _typed(("choice", by_text[0]))
    if letter is None or (chosen := letter[1].upper()) not in asked.options:
        return None
    fits = letter[2] is None or _folded(plain(letter[2])) == _folded(plain(asked.options[chosen]))
    return _typed(("choice", chosen)) if fits else None


def _output(text: str) -> Value:
    """What a program gives: a literal, or a text that is compared to the letter."""
    literals = [text, text.replace("\n", "\\n"), text.rstrip(".")] if text == text.strip() else []
    for literal in literals:
        with warnings.catch_warnings(), suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            warnings.simplefilter("ignore")  # an escape that Python is about to forbid
            return _typed(_literal(ast.literal_eval(literal)))
    return Value(("text", text), ("text", text), typed=False)


def _literal(value: Any) -> Hashable:
    """A Python literal as a key in which `True` is not 1 and `"1"` is not 1; 1 and 1.0 are the same number.

    Raises:
        ValueError: An infinite number.
    """
    match value:
        case str():
            return ("text", value)
        case bool() | None | bytes() | complex():
            return (type(value).__name__, value)
        case int() | float():
            return Fraction(str(value))
        case dict():
            return ("dict", frozenset((_literal(key), _literal(held)) for key, held in value.items()))
        case set():
            return ("set", frozenset(map(_literal, value)))
        case _:
            return (type(value).__name__, *map(_literal, value))


def _one(text: str, asked: Asked) -> Value | None:
    """A single date, quantity, term or relation."""
    if when := moment(text):
        return _typed(when)
    if amount := quantity(text, percent=asked.percent):
        return Value(*amount)
    if (label := _LABEL.fullmatch(text)) and not asked.equation:
        return _one(label[2].strip(), asked) or _many(label[2].strip(), asked)
    if not re.fullmatch(r"[A-Za-z]", text) and (term := normal_form(ungrouped(text))):
        return _typed(term.key)
    sides = _RELATION.split(text)
    if len(sides) > 1 and all(part.strip() for part in sides):
        values = [_one(side.strip(), asked) or _many(side.strip(), asked) or _lone(side) for side in sides[::2]]
        if all(values):
            return _typed(("relation", *sides[1::2], *(value.key for value in values if value)))
    return None


def _lone(text: str) -> Value | None:
    """A single letter, as it may stand on one side of a relation."""
    return _typed(("letter", text.strip())) if re.fullmatch(r"\s*[A-Za-z]\s*", text) else None


def _many(text: str, asked: Asked, depth: int = 0) -> Value | None:
    """Several values: in brackets of any kind, or joined by commas, `and`, `or`; these and braces in any order."""
    opening, inner, closing = "", text, ""
    if text and text[0] in _BRACKETS and text[-1] in _BRACKETS[text[0]] and _whole(text):
        opening, inner, closing = text[0], text[1:-1], text[-1]
    parts = _split(inner)
    joined = [part for piece in parts for part in re.split(r"(?:^|\s)(?:and|or)\s+", piece) if part.strip()]
    if depth > _DEEPEST or (len(joined) == 1 and not opening):
        return None
    values = [_one(part.strip(), asked) or _many(part.strip(), asked, depth + 1) or _lone(part) for part in joined]
    keys = [value.key for value in values if value]
    if len(keys) < len(values):
        return None
    any_order = opening == "{" or len(joined) > len(parts) or re.search(r"\b(?:and|or)\s", inner)
    return _typed(("set", frozenset(keys)) if any_order else (opening, *keys, closing))


def _whole(text: str) -> bool:
    """Whether the first bracket closes with the last character."""
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0:
            return at == len(text) - 1
    return False


def _split(text: str) -> list[str]:
    """The parts between the commas and semicolons that stand in no bracket and group no thousands."""
    text = ungrouped(text)
    depth, parts = 0, [""]
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]


def _words(text: str) -> Value | None:
    """A short text, regardless of articles, blanks and the case of whole words; `None` for more than twelve words."""
    if len(text.split()) > _WORDS or "\n" in text:
        return None
    key = ("text", _folded(text))
    return Value(key, key, typed=False)


def _folded(text: str) -> str:
    text = _ARTICLE.sub("", " ".join(text.split()).strip(" \"'`\u201c\u201d\u2018\u2019*_").rstrip("."))
    return " ".join(_fold(word) for word in text.split())


def _fold(word: str) -> str:
    """Lower case for a word that is capitalised or shouted; names such as `NaCl`, `US`, `CO2` stay."""
    letters = re.sub(r"\W", "", word)
    shouted = letters.isupper() and len(letters) >= _CAPITALS
    capitalised = len(letters) > 2 and letters[:1].isupper() and letters[1:].islower()  # noqa: PLR2004 - `He` is helium
    return word.lower() if letters.isalpha() and (shouted or capitalised) else word
