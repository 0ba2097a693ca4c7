"""An answer's value: what is equal for equal answers, however they are written.

What a program gives is a literal, or a text that counts to the letter.
"""

import ast
import re
import warnings
from collections.abc import Hashable
from contextlib import suppress
from fractions import Fraction
from typing import Any

from fusion_tool.grounding.closed_answers.latex import latex_to_text
from fusion_tool.grounding.closed_answers.question import ExpectedAnswer
from fusion_tool.grounding.closed_answers.terms import Value, parse_term


def parse_literal(text: str) -> Hashable | None:
    """Return the Python literal that `text` is, as a key; `None` for anything else.

    `True` is not 1 and `"1"` is not 1, lists are not tuples, dicts and sets have no order; 1 and 1.0 are one number.
    """
    readings = [text, text.replace("\n", "\\n"), text.rstrip(".")] if text == text.strip() else []
    for reading in readings:
        with warnings.catch_warnings(), suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            warnings.simplefilter("ignore")  # an escape that Python is about to forbid
            return _key(ast.literal_eval(reading))
    return None


def _key(value: Any) -> Hashable:
    """A key that is equal for equal values of the same type.

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
            return ("dict", frozenset((_key(name), _key(held)) for name, held in value.items()))
        case set():
            return ("set", frozenset(map(_key, value)))
        case _:
            return (type(value).__name__, *map(_key, value))


_WORDS = 12
_TRUTH = re.compile(r"(yes|no|true|false)\b(?=\s*$|\s*[.,;:!\u2013\u2014]|\s+-\s)", re.IGNORECASE)
_CHOICE = re.compile(
    r"(?:(?i:option|choice|answer)\s+)?[(\[]?([A-Ja-j])[)\].:]*(?:\s*[-\u2013:]?\s+(\S.*))?", re.DOTALL
)
_CHOICES = re.compile(r"(?:\(?[A-J]\)?)(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*)\(?[A-J]\)?)+")
_NO_ANSWER = re.compile(
    r"(?:i (?:don.t|do not|cannot|can.t)\b.*|unknown|unclear|not sure|n/?a|none|null|it depends\b.*|undetermined"
    r"|insufficient (?:information|data)|\?+|\.+|-+)\.?",
    re.IGNORECASE,
)
_EMPHASIS = re.compile(r"^(\*\*|__|`)(.+)\1$")
_ARTICLE = re.compile(r"^(?:the|a|an)\s+", re.IGNORECASE)
_QUOTES = " \"'`\u201c\u201d\u2018\u2019*_"
_CAPITALS, _NAME = 4, 2
"""So many capital letters in a row are emphasis; words of so few letters are names: `US`, `CO`, `He`."""


def parse_value(text: str, expected: ExpectedAnswer) -> Value | None:
    """Return the value of an answer, given nothing but the answer; `None` for prose, and for what answers nothing.

    Args:
        text: As its author wrote it, in markdown or LaTeX.
        expected: What the question wants.
    """
    if expected.options:
        return _choice(_stripped_text(text), expected)
    truth = _TRUTH.match(text.strip()) if expected.yes_or_no else None
    if truth and (not expected.code or truth[0] == text.strip()):
        return Value.of(("truth", truth[1].lower()))
    if expected.code:
        output = parse_literal(text)
        return Value.of(("text", text), typed=False) if output is None else Value.of(output)
    said = _stripped_text(text)
    if not said or _NO_ANSWER.fullmatch(said):
        return None
    return parse_term(said, expected) or _words(said)


def _stripped_text(text: str) -> str:
    """The text without markdown, LaTeX and the full stop, which an ellipsis is not."""
    said = latex_to_text(_EMPHASIS.sub(r"\2", text.strip()))
    return said if said.endswith("..") else said.rstrip(".").strip()


def _choice(said: str, expected: ExpectedAnswer) -> Value | None:
    """One of the options: its letter, its text, or both where they fit each other."""
    if _CHOICES.fullmatch(said):
        return Value.of(("choices", frozenset(re.findall(r"\b[A-J]\b", said))))
    by_text = [
        letter for letter, option in expected.options.items() if _fold_words(latex_to_text(option)) == _fold_words(said)
    ]
    if len(by_text) == 1:
        return Value.of(("choice", by_text[0]))
    match = _CHOICE.fullmatch(said)
    option = expected.options.get(match[1].upper()) if match else None
    if match is None or option is None:
        return None
    fits = match[2] is None or _fold_words(latex_to_text(match[2])) == _fold_words(latex_to_text(option))
    return Value.of(("choice", match[1].upper())) if fits else None


def _words(text: str) -> Value | None:
    """A short text, regardless of articles, blanks and the case of whole words; `None` for more than twelve words."""
    if len(text.split()) > _WORDS or "\n" in text:
        return None
    return Value.of(("text", _fold_words(text)), typed=False)


def _fold_words(text: str) -> str:
    text = _ARTICLE.sub("", " ".join(text.split()).strip(_QUOTES).rstrip("."))
    return " ".join(_fold(word) for word in text.split())


def _fold(word: str) -> str:
    """Lower case for a word that is capitalised or shouted; names such as `NaCl`, `US`, `CO2` stay."""
    letters = re.sub(r"\W", "", word)
    shouted = letters.isupper() and len(letters) >= _CAPITALS
    capitalised = len(letters) > _NAME and letters[:1].isupper() and letters[1:].islower()
    return word.lower() if letters.isalpha() and (shouted or capitalised) else word
