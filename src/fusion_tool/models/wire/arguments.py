"""A tool call's arguments as an object, however a provider wrote them."""

import json
import re
from typing import Any

from fusion_tool.models.json_reader import mend_object, parse_json_prefix

_FENCE = re.compile(r"\A```[\w-]*[ \t]*\n?(.*?)\n?[ \t]*(?:```)?\Z", re.DOTALL)
_LEFTOVER = re.compile(r"(?:\s|`{3}|[}\])]|<[^<>]*>|\[/?[A-Z_]+\])*\Z")
"""What a model or a server leaves behind a finished object: a bracket too many, a fence, a closing tag or token."""
_LAYERS = 4
"""How often an object may be wrapped: strings in strings, fences, lists of one."""


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


def _decode(text: str) -> Any:
    if fenced := _FENCE.match(text):
        return fenced[1]
    try:
        value, end = parse_json_prefix(text)
    except ValueError:
        return mend_object(text)  # never completed by guesswork: both braces must stand
    rest = text[end:].strip()
    if value == {} and rest.startswith("{"):  # some gateways begin every call with an empty object
        return rest
    if not _LEFTOVER.match(rest):
        raise ValueError("something else comes after the arguments")
    return value
