"""A tool call's arguments as an object, however a provider wrote them; and JSON that is read without surprises."""

import ast
import json
import re
from typing import Any

import json_repair

_DECODER = json.JSONDecoder(strict=False, parse_constant=lambda _: None)
"""Line breaks inside strings are taken; `NaN` and `Infinity`, which no other reader knows, become null."""
_FENCE = re.compile(r"\A```[\w-]*[ \t]*\n?(.*?)\n?[ \t]*(?:```)?\Z", re.DOTALL)
_LEFTOVER = re.compile(r"(?:\s|`{3}|[}\])]|<[^<>]*>|\[/?[A-Z_]+\])*\Z")
"""What a model or a server leaves behind a finished object: a bracket too many, a fence, a closing tag or token."""
_LAYERS = 4
"""How often an object may be wrapped: strings in strings, fences, lists of one."""
_LONGEST_LITERAL = 20_000
"""Python's own parser needs memory in proportion; longer texts are read as JSON alone."""


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


def read_arguments(raw: Any) -> dict[str, Any] | None:
    """Read the arguments of a tool call.

    Args:
        raw: What the provider sent: an object, a JSON text of one, the same encoded twice, fenced, in a list of
            one, behind an empty object, or with something left over; nothing at all counts as no arguments.

    Returns:
        The arguments, or `None` where they cannot be read.
    """
    value = raw
    for _ in range(_LAYERS):
        if value is None or (isinstance(value, str) and not value.strip()) or value == []:
            return {}
        if isinstance(value, dict):
            return value
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        elif isinstance(value, str):
            try:
                value = _decode(value.strip())
            except ValueError:
                return None
        else:
            return None
    return None


def write_arguments(arguments: Any) -> str:
    """Write arguments as the JSON text that goes on; lone surrogates, which no request can carry, are replaced."""
    return json.dumps(arguments, ensure_ascii=False, default=str).encode(errors="replace").decode()


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


def _decode(text: str) -> Any:
    if fenced := _FENCE.match(text):
        return fenced[1]
    try:
        value, end = parse_json_prefix(text)
    except ValueError:
        return _decode_loosely(text)
    rest = text[end:].strip()
    if value == {} and rest.startswith("{"):  # some gateways begin every call with an empty object
        return rest
    if not _LEFTOVER.match(rest):
        raise ValueError("something else comes after the arguments")
    return value


def _decode_loosely(text: str) -> Any:
    """Single quotes, trailing commas, bare keys: mended where both braces stand, never completed by guesswork."""
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("no object")
    try:
        return parse_literal(text)
    except ValueError:
        pass
    try:
        value = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError) as error:
        raise ValueError("no object") from error
    if not isinstance(value, dict) or not value:
        raise ValueError("no object")
    return value
