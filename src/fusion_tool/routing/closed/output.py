"""What a program gives: a literal, or a text that counts to the letter."""

import ast
import warnings
from collections.abc import Hashable
from contextlib import suppress
from fractions import Fraction
from typing import Any


def literal(text: str) -> Hashable | None:
    """The Python literal that `text` is, as a key; `None` for anything else.

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
