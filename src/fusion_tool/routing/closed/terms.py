"""Dates, quantities and terms, and the lists and relations that people make of them."""

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace

from fusion_tool.routing.closed.asked import Asked
from fusion_tool.routing.closed.expression import normal_form
from fusion_tool.routing.closed.moment import moment
from fusion_tool.routing.closed.quantity import quantity, ungrouped

_DEEPEST = 4
_LABEL = re.compile(r"([A-Za-z\u03b1-\u03c9](?:_\w+)?(?:\(\w\))?'?)\s*=\s*([^=<>≤≥≠]+)")
_RELATION = re.compile(r"(<=|>=|!=|[=<>≤≥≠\u222a])")
_JUNCTION = re.compile(r"(?:^|\s)(?:and|or)\s+")
_LETTER = re.compile(r"[A-Za-z]")
_BRACKETS = {"(": ")]", "[": ")]", "{": "}"}


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

    @classmethod
    def of(cls, key: Hashable, *, typed: bool = True) -> "Value":
        """A value without a unit."""
        return cls(key, key, typed)


def term(text: str, asked: Asked, depth: int = 0) -> Value | None:
    """The value of a date, a quantity, a term, a list or a relation; `None` for words.

    Args:
        text: Plain text, no LaTeX.
        asked: What the question wants.
        depth: How many brackets, labels and relations it stands in; beyond four nothing is read.
    """
    if depth > _DEEPEST:
        return None
    return next((value for value in _readings(text, asked, depth) if value), None)


def _readings(text: str, asked: Asked, depth: int) -> Iterator[Value | None]:
    if when := moment(text):
        yield Value.of(when)
    elif amount := quantity(text, asked):
        yield Value(*amount)
    elif (label := _LABEL.fullmatch(text)) and not asked.equation:
        yield term(label[2].strip(), asked, depth + 1)
    elif _LETTER.fullmatch(text):  # alone it is a word
        yield Value.of(("letter", text)) if depth else None
    else:
        sum_ = normal_form(ungrouped(text))
        yield Value.of(sum_.key) if sum_ else None
        yield _list(text, asked, depth)
        yield _relation(text, asked, depth)


def _list(text: str, asked: Asked, depth: int) -> Value | None:
    """Several values: in brackets of any kind, or joined by commas, `and`, `or`; these and braces in any order."""
    opening, inner, closing = "", text, ""
    if text and text[0] in _BRACKETS and text[-1] in _BRACKETS[text[0]] and _whole(text):
        opening, inner, closing = text[0], text[1:-1], text[-1]
    joined = [part.strip() for piece in _split(inner) for part in _JUNCTION.split(piece) if part.strip()]
    if len(joined) <= 1 and not opening:
        return None
    labels = {label[1] if (label := _LABEL.fullmatch(part)) else "" for part in joined}
    inside = replace(asked, equation=asked.equation or len(labels) > 1)
    keys = [value.key for part in joined if (value := term(part, inside, depth + 1))]
    if len(keys) < len(joined):
        return None
    any_order = opening == "{" or _JUNCTION.search(inner)
    return Value.of(("set", frozenset(keys)) if any_order else (opening, *keys, closing))


def _relation(text: str, asked: Asked, depth: int) -> Value | None:
    """An equation, an inequality, a union."""
    sides = _RELATION.split(text)
    values = [term(side.strip(), asked, depth + 1) for side in sides[::2]] if len(sides) > 1 else []
    keys = [value.key for value in values if value]
    return Value.of(("relation", *sides[1::2], *keys)) if keys and len(keys) == len(values) else None


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
    depth, parts = 0, [""]
    for sign in ungrouped(text):
        depth += (sign in "([{") - (sign in ")]}")
        if sign in ",;" and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part for part in parts if part.strip()]
