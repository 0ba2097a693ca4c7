"""The tool calls of a whole message, normalised before LangChain sees them.

Protocol: OpenAI's chat completions, `message.tool_calls`, and its older `function_call`. What cannot be read stays a
call, with its arguments as they came, so that LangChain reports an invalid call and the model can be told.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from fusion_tool.models.json_reader import parse_json
from fusion_tool.models.wire.arguments import read_arguments, write_arguments
from fusion_tool.models.wire.tool_names import UNKNOWN_TOOL, match_name

NO_OBJECT = "not a JSON object: "
"""Before arguments that are JSON but no object: LangChain would raise on them, instead of reporting the call."""

_NAMES = ("name", "tool_name", "tool", "recipient_name")
_ARGUMENTS = ("arguments", "args", "parameters", "input", "tool_input")
_PROTOCOL = frozenset({"index", "id", "call_id", "type", "function", *_NAMES, *_ARGUMENTS})


class CallIds:
    """Ids of tool calls: texts, unique in the conversation, and the same for the same replies.

    Args:
        used: The ids that the conversation has already.
    """

    def __init__(self, used: Iterable[str] = ()) -> None:
        self._used = set(used)
        self._made = 0

    def claim(self, raw: object) -> str:
        """Return `raw` where it can stand as an id, else one of our own; it is used from then on."""
        call_id = raw.strip() if isinstance(raw, str) else ""
        if isinstance(raw, int) and not isinstance(raw, bool):
            call_id = str(raw)
        while not call_id or call_id in self._used:
            self._made += 1
            call_id = f"call{self._made:05}"  # nine letters and digits: Mistral refuses any other form
        self._used.add(call_id)
        return call_id


def used_call_ids(messages: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of all tool calls in a request's messages."""
    calls = (call for message in messages for call in message.get("tool_calls") or () if isinstance(call, Mapping))
    return {call["id"] for call in calls if isinstance(call.get("id"), str)}


def normalize_tool_calls(
    message: Mapping[str, Any], offered: Collection[str], used: Iterable[str] = ()
) -> dict[str, Any]:
    """Return `message` with tool calls as the protocol has them.

    Args:
        message: A reply's raw message.
        offered: The names of the tools that the request offered.
        used: The ids that the conversation has already, from `used_call_ids`.
    """
    ids = CallIds(used)
    # Empty entries beside real ones are padding of servers that stream; alone, they are a call that went wrong.
    entries = list(raw_calls(message))
    readable = [entry for entry in entries if _says_something(entry)]
    calls = [_normalize(entry, offered, ids) for entry in readable or entries]
    rest = {key: value for key, value in message.items() if key not in ("tool_calls", "function_call")}
    return rest | ({"tool_calls": calls} if calls else {})


def raw_calls(message: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the entries of `tool_calls`, out of lists of lists as well; else the older `function_call`."""
    entries = list(_flatten(message.get("tool_calls")))
    if not entries and (call := message.get("function_call")):
        entries = [{"function": call}]
    for entry in entries:
        yield from _parallel(entry) or [entry]


def name_and_arguments(entry: Any) -> tuple[Any, Any]:
    """Return what an entry says of its function, in the protocol's form or any flat one; `None` for what is missing."""
    if isinstance(entry, str):
        return entry, None
    if not isinstance(entry, Mapping):
        return None, entry
    function = entry.get("function")
    if isinstance(function, str):
        function = {"name": function}
    inner = function if isinstance(function, Mapping) else {}
    return _first(_NAMES, inner, entry), _first(_ARGUMENTS, inner, entry)


def argument_text(raw: Any) -> str:
    """Return arguments as the text of a JSON object; where they cannot be read, as a text that is none."""
    arguments = read_arguments(raw)
    try:
        if arguments is not None:
            return write_arguments(arguments)
        text = raw.encode(errors="replace").decode() if isinstance(raw, str) else write_arguments(raw)
    except RecursionError:
        return f"{NO_OBJECT}it is nested too deeply"
    try:
        parse_json(text)
    except json.JSONDecodeError:
        return text
    except ValueError:  # nested too deeply, or a number too long: readers raise other errors on such
        pass
    return NO_OBJECT + text


def extra_fields(entry: Any) -> dict[str, Any]:
    """Return what is no part of the protocol and goes on as it came: Gemini's signature is one (`extra_content`)."""
    return {key: value for key, value in entry.items() if key not in _PROTOCOL} if isinstance(entry, Mapping) else {}


def _parallel(entry: Any) -> list[Any]:
    """Return the calls inside OpenAI's `multi_tool_use.parallel`, a tool that models take for real."""
    name, arguments = name_and_arguments(entry)
    if not isinstance(name, str) or "multi_tool_use" not in name:
        return []
    uses = (read_arguments(arguments) or {}).get("tool_uses")
    return uses if isinstance(uses, list) else []


def _normalize(entry: Any, offered: Collection[str], ids: CallIds) -> dict[str, Any]:
    name, arguments = name_and_arguments(entry)
    fields = entry if isinstance(entry, Mapping) else {}
    return {
        **extra_fields(entry),
        "id": ids.claim(fields.get("id") or fields.get("call_id")),
        "type": "function",
        "function": {"name": match_name(name, offered), "arguments": argument_text(arguments)},
    }


def _says_something(entry: Any) -> bool:
    name, arguments = name_and_arguments(entry)
    return match_name(name, ()) != UNKNOWN_TOOL or bool(arguments)


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            return
    if isinstance(value, Mapping):
        # A single call in place of the list, or calls by their index.
        yield from [value] if value.keys() & {"function", "id", *_NAMES} else value.values()
    elif isinstance(value, list):
        for entry in value:
            yield from entry if isinstance(entry, list) else [entry]


def _first(keys: Iterable[str], *places: Mapping[str, Any]) -> Any:
    return next((place[key] for place in places for key in keys if place.get(key) is not None), None)
