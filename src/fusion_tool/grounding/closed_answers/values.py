"""The value of an answer, which is equal for equal answers, however they are written.

The output of a program is a Python literal, or else a text that is compared to the letter.
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
    """Return the key of the Python literal that `text` is; `None` for anything else.

    `True` is not 1 and `"1"` is not 1, lists are not tuples, dicts and sets have no order; 1 and 1.0 are one number.
    """
    # Also with the line break that a model wrote inside a string, and without the full stop of its sentence. A text
    # with blanks around it was printed as it is, and is no literal.
    readings = [text, text.replace("\n", "\\n"), text.rstrip(".")] if text == text.strip() else []
    for reading in readings:
        with warnings.catch_warnings(), suppress(ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            warnings.simplefilter("ignore")  # an escape that Python is about to forbid
            return _key(ast.literal_eval(reading))
    return None


def _key(value: Any) -> Hashable:
    """Return a key that is equal for equal values of the same type.

    Raises:
        ValueError: The value holds an infinite number.
    """
    # The type's name goes into the key, since Python holds True and 1 to be equal, and so are (1,) and [1] as tuples.
    match value:
        case str():
            return ("text", value)
        case bool() | None | bytes() | complex():
            return (type(value).__name__, value)
        case int() | float():
            return Fraction(str(value))
        case dict():
            return ("dict", frozenset((_key(name), _key(item)) for name, item in value.items()))
        case set():
            return ("set", frozenset(map(_key, value)))
        case _:
            return (type(value).__name__, *map(_key, value))


_MAX_WORDS = 12
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
_EMPHASIS_CAPITALS, _NAME_LETTERS = 4, 2
"""From four letters on, a word in capitals is emphasis; a word of up to two keeps its case, as a name: `US`, `He`."""


def parse_value(text: str, expected: ExpectedAnswer) -> Value | None:
    """Return the value of a final answer; `None` for prose, and for a text that gives no answer ("unknown").

    Args:
        text: The answer alone, as its author wrote it, in Markdown or LaTeX.
        expected: What the question expects.
    """
    # A question with options has no other answers: what fits none of them is not compared at all.
    if expected.options:
        return _choice(_stripped_text(text), expected)
    truth = _TRUTH.match(text.strip()) if expected.yes_or_no else None
    if truth and (not expected.code or truth[0] == text.strip()):
        return Value.of(("truth", truth[1].lower()))
    if expected.code:
        output = parse_literal(text)
        return Value.of(("text", text), is_typed=False) if output is None else Value.of(output)
    plain = _stripped_text(text)
    # Two answers that both say "I don't know" must not count as agreement.
    if not plain or _NO_ANSWER.fullmatch(plain):
        return None
    return parse_term(plain, expected) or _words(plain)


def _stripped_text(text: str) -> str:
    """Return the text without Markdown, LaTeX and the full stop, which an ellipsis is not."""
    plain = latex_to_text(_EMPHASIS.sub(r"\2", text.strip()))
    return plain if plain.endswith("..") else plain.rstrip(".").strip()


def _choice(answer: str, expected: ExpectedAnswer) -> Value | None:
    """Parse one of the options, by its letter, its text, or both where they fit each other."""
    if _CHOICES.fullmatch(answer):
        return Value.of(("choices", frozenset(re.findall(r"\b[A-J]\b", answer))))
    # The text before the letter: an option may read "B", or begin with what looks like another's letter.
    by_text = [
        letter
        for letter, option in expected.options.items()
        if _fold_words(latex_to_text(option)) == _fold_words(answer)
    ]
    if len(by_text) == 1:
        return Value.of(("choice", by_text[0]))
    match = _CHOICE.fullmatch(answer)
    option = expected.options.get(match[1].upper()) if match else None
    if match is None or option is None:
        return None
    fits = match[2] is None or _fold_words(latex_to_text(match[2])) == _fold_words(latex_to_text(option))
    return Value.of(("choice", match[1].upper())) if fits else None


def _words(text: str) -> Value | None:
    """Return the value of a short text, articles, blanks and the case of words aside; `None` above twelve words."""
    if len(text.split()) > _MAX_WORDS or "\n" in text:
        return None
    return Value.of(("text", _fold_words(text)), is_typed=False)


def _fold_words(text: str) -> str:
    text = _ARTICLE.sub("", " ".join(text.split()).strip(_QUOTES).rstrip("."))
    return " ".join(_fold(word) for word in text.split())


def _fold(word: str) -> str:
    """Put a word that is capitalised or all in capitals into lower case; names such as `NaCl`, `US`, `CO2` stay."""
    letters = re.sub(r"\W", "", word)
    is_emphasis = letters.isupper() and len(letters) >= _EMPHASIS_CAPITALS
    is_capitalised = len(letters) > _NAME_LETTERS and letters[:1].isupper() and letters[1:].islower()
    return word.lower() if letters.isalpha() and (is_emphasis or is_capitalised) else word
