"""JSON as models write it: one value read exactly, an object mended, and the objects that stand in a reply.

Every reader of a model's JSON comes here: tool calls (`models/wire`) and structured replies (the judge's, a grader's, a
small model's claims). `json_repair` mends a single object whose end is known; given a whole reply it takes drafts and
final for one list, braces in the prose for keys, and half a sentence for a whole one.
"""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import json_repair
import regex

_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
"""Line breaks inside strings are taken; `NaN` and `Infinity`, which no other reader knows, become null."""
_LONGEST_LITERAL = 20_000
"""Python's own parser needs memory in proportion; longer texts are read as JSON alone."""
# Not with `re`: its possessive groups are broken in Python 3.11 up to 3.11.4.
_TOKEN = regex.compile(r'"(?:\\.|[^"\\]|"(?!\s*(?:[,:}\]]|\Z)))*+"|["{}\[\],]', regex.DOTALL)
"""A string, whose end is a quotation mark before what can follow a string; or a mark outside of strings."""
_CLOSING = {"{": "}", "[": "]"}
_LAYERS = 4
"""How deep an object may be wrapped in others, in lists and in strings."""
_MOST_MENDED = 500_000
"""Characters that are gone through for mending; strange replies must not cost minutes."""
_COST_OF_A_FAILURE = 100
_DEEPEST = 100
"""Brackets inside brackets."""


def parse_json(text: str) -> Any:
    """Parse one JSON text.

    Raises:
        ValueError: It is none, or nested deeper than can be read.
    """
    value, end = parse_json_prefix(text.lstrip())
    if text.lstrip()[end:].strip():
        raise ValueError("there is more than one JSON text")
    return value


def parse_json_prefix(text: str, start: int = 0) -> tuple[Any, int]:
    """Parse the JSON value that begins at `start`; returns it and where it ends.

    Raises:
        ValueError: None begins there.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


def parse_literal(text: str) -> Any:
    """Parse a Python literal, as models write that think in Python.

    Raises:
        ValueError: It is none.
    """
    if len(text) > _LONGEST_LITERAL:
        raise ValueError("too long for a literal")
    try:
        value = ast.literal_eval(text)
        json.dumps(value)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no literal that JSON knows") from error
    return value


def mend_object(text: str) -> dict[str, Any]:
    """Mend an object with single quotes, bare keys, bad commas or comments; both its braces must stand.

    Raises:
        ValueError: It is none, or beyond mending.
    """
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("no object")
    for parse in (parse_json, parse_literal, _repair):
        try:
            value = parse(text)
        except ValueError:
            continue
        if isinstance(value, dict) and value:
            return value
    raise ValueError("no object")


def _repair(text: str) -> Any:
    try:
        return json_repair.loads(text, skip_json_loads=True)
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error


@dataclass(frozen=True)
class JsonObject:
    """An object of a reply; `missing` are the brackets that it lacks where the reply broke off inside it, else empty.

    Of such an object the finished items alone are here: half a sentence is nobody's.
    """

    value: dict[str, Any]
    missing: str = ""


Fits: TypeAlias = Callable[[Mapping[str, Any]], bool]


def read_objects(reply: Any, fits: Fits) -> list[JsonObject]:
    """Read the objects of a reply that fit: in prose, fences, lists, strings, or inside other objects.

    Args:
        reply: A text, a value that was JSON, or a list of such.
        fits: Whether an object is what was asked for, as far as its keys tell; the outermost that does is taken.

    Returns:
        They, in the order of the reply.
    """
    return list(_fitting(reply, fits, "", _LAYERS))


def _fitting(value: Any, fits: Fits, missing: str, layers: int) -> Iterator[JsonObject]:
    if isinstance(value, Mapping) and fits(value):
        yield JsonObject(dict(value), missing)
    elif isinstance(value, str) and layers and "{" in value:
        yield from _in_text(_unquote(value), fits, layers - 1)
    elif isinstance(value, Mapping | list) and layers:
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _fitting(inner, fits, missing, layers - 1)


def _unquote(text: str) -> str:
    """Return the text that is encoded as a JSON string, any other as it is."""
    try:
        value = parse_json(text) if text.lstrip().startswith('"') else None
    except ValueError:
        return text
    return value if isinstance(value, str) else text


def _in_text(text: str, fits: Fits, layers: int) -> list[JsonObject]:
    """Return the objects that fit in a text: those that are JSON; where none is, those mended within a brace."""
    found: list[tuple[int, JsonObject]] = []
    broken: list[_Extent] = []
    place, effort = 0, _MOST_MENDED
    while effort > 0 and (mark := _next_bracket(text, place)) >= 0:
        try:
            value, place = parse_json_prefix(text, mark)
            found += [(mark, fitting) for fitting in _fitting(value, fits, "", layers)]
        except ValueError:
            place, effort = mark + 1, effort - _COST_OF_A_FAILURE
            if text[mark] == "{":
                broken.append(extent := _extent(text, mark))
                effort -= extent.scanned - mark
    covered = 0
    for extent in broken:
        if extent.start >= covered and not any(extent.start <= start < extent.scanned for start, _ in found):
            mended = [(extent.start, fitting) for fitting in _fitting(extent.mend(text), fits, extent.missing, layers)]
            found, covered = found + mended, extent.scanned if mended else covered
    return [fitting for _, fitting in sorted(found, key=lambda pair: pair[0])]


def _next_bracket(text: str, place: int) -> int:
    return min((at for at in (text.find("{", place), text.find("[", place)) if at >= 0), default=-1)


@dataclass(frozen=True)
class _Extent:
    """Where an object that is no JSON stands: `end` is where its last finished item ends, `missing` closes it there."""

    start: int
    end: int
    scanned: int
    missing: str

    def mend(self, text: str) -> dict[str, Any]:
        """Return the object, empty where it cannot be mended."""
        try:
            return mend_object(text[self.start : self.end] + self.missing)
        except ValueError:
            return {}


def _extent(text: str, start: int) -> _Extent:
    closers: list[str] = []
    end, depth = start, 0
    for token in _TOKEN.finditer(text, start):
        mark = token[0]
        if mark in _CLOSING:
            closers.append(_CLOSING[mark])
        elif mark in closers:
            while closers.pop() != mark:  # a bracket that was forgotten inside
                pass
            end, depth = token.end(), len(closers)
            if not closers:
                return _Extent(start, end, end, "")
        elif mark == ",":
            end, depth = token.start(), len(closers)
        if mark == '"' or len(closers) > _DEEPEST:  # a string without an end, or nothing that a model would write
            break
    return _Extent(start, end, len(text), "".join(reversed(closers[:depth])))
