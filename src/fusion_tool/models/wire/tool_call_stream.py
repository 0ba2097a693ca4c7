"""Streamed tool calls, put into well-formed pieces: index, id and name once, then the text of the arguments.

The protocol says that `index` tells the pieces of several calls apart, that `id` and `name` come with the first of
them, and that the arguments are a text in pieces. Servers are reported that leave out the index or send 0 for every
call, repeat name or id in each chunk, cut the name into pieces, make a new id for each chunk, send the arguments as
an object, or end with `"function": null`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_tool.models.json_reader import parse_json
from fusion_tool.models.wire.tool_calls import CallIds, argument_text, extra_fields, name_and_arguments, raw_calls
from fusion_tool.models.wire.tool_names import match_name, may_grow

_PLAIN_ARGUMENTS = re.compile(r'\s*\{\s*"')
"""How arguments begin that can go on as they come; any other beginning waits until it can be read as a whole."""


@dataclass
class _Call:
    """One call as far as it has come."""

    position: int
    index: int | None
    raw_id: str | int | None
    name: str = ""
    arguments: str = ""
    """All that came."""
    sent: int = 0
    """How much of that has gone on."""
    is_open: bool = False
    """Whether id and name have gone on."""
    extras: dict[str, Any] = field(default_factory=dict)


class ToolCallAssembler:
    """Puts the pieces of one streamed message in order.

    Args:
        offered: The names of the tools that the request offered.
        used: The ids that the conversation has already.
    """

    def __init__(self, offered: Collection[str], used: Iterable[str] = ()) -> None:
        self._offered = offered
        self._ids = CallIds(used)
        self._calls: list[_Call] = []

    def feed(self, delta: Mapping[str, Any]) -> dict[str, Any]:
        """Return a chunk's `delta` with well-formed pieces in place of its tool calls."""
        rest = {key: value for key, value in delta.items() if key not in ("tool_calls", "function_call")}
        pieces = [piece for entry in raw_calls(delta) for piece in self._take(entry)]
        return rest | ({"tool_calls": pieces} if pieces else {})

    def close(self) -> list[dict[str, Any]]:
        """Return the pieces that waited for the message's end; to be called once there is nothing more to feed."""
        return [piece for call in self._calls for piece in self._finish(call)]

    def _take(self, entry: Any) -> Iterator[dict[str, Any]]:
        fields = entry if isinstance(entry, Mapping) else {}
        name, arguments = name_and_arguments(entry)
        name = name if isinstance(name, str) else ""
        text = arguments if isinstance(arguments, str) else "" if arguments is None else argument_text(arguments)
        raw_id = fields.get("id") or None
        raw_id = raw_id if isinstance(raw_id, str | int) else None
        extras = extra_fields(entry)
        if not (
            name or text or raw_id or (extras and self._calls)
        ):  # `"function": null`, or an empty piece behind the last
            return
        index = _to_index(fields.get("index"))
        call = self._call_of(index, raw_id, name, text)
        call.raw_id = call.raw_id if call.raw_id is not None else raw_id
        call.extras |= extras
        self._add_name(call, name)
        if text != call.arguments or not _is_object(text):  # the whole text once more says nothing new
            call.arguments += text
        yield from self._advance(call)

    def _call_of(self, index: int | None, raw_id: str | int | None, name: str, text: str) -> _Call:
        call = self._candidate(index, raw_id, name)
        if call is None or self._begins_another(call, index, raw_id, name, text):
            call = _Call(len(self._calls), index, raw_id)
            self._calls.append(call)
        return call

    def _candidate(self, index: int | None, raw_id: str | int | None, name: str) -> _Call | None:
        """Return the call that the piece says it belongs to; the last one where it does not say."""
        latest = self._calls[::-1]
        if raw_id is not None and (same := next((call for call in latest if call.raw_id == raw_id), None)):
            return same
        if index is not None:
            same = next((call for call in latest if call.index == index), None)
            if same or name or raw_id is not None:
                return same
        return latest[0] if latest else None

    def _begins_another(self, call: _Call, index: int | None, raw_id: str | int | None, name: str, text: str) -> bool:
        """Return whether the piece cannot belong to `call`, whatever its index or id says."""
        # A piece without a name goes on with what was begun: only a call's first piece must have one.
        if not name:
            return False
        same_name = self._means(name) == self._means(call.name)
        if raw_id is not None and call.raw_id not in (None, raw_id):
            # Another id is another call, but for servers that make one for each chunk: there the text goes on.
            return not (same_name and call.arguments and not _is_object(call.arguments) and text[:1] != "{")
        if _is_object(call.arguments):
            moved = index is not None and index != call.index
            return moved or not same_name or (text.lstrip().startswith("{") and text != call.arguments)
        if call.arguments:
            return not same_name
        grown = name.startswith(call.name)
        return not same_name and not grown and self._is_offered(call.name) and self._is_offered(name)

    def _add_name(self, call: _Call, name: str) -> None:
        if not call.name or not name:
            call.name = call.name or name
        elif call.is_open or name == call.name:
            return
        # Pieces of one name, the whole name again, or the name so far: servers send all three.
        elif self._is_offered(call.name + name):
            call.name += name
        elif name.startswith(call.name):
            call.name = name
        elif not self._is_offered(call.name):
            call.name += name

    def _advance(self, call: _Call) -> Iterator[dict[str, Any]]:
        """Yield what is certain of the call by now."""
        known = self._is_offered(call.name) or (call.name and not self._offered)
        if not call.is_open and not (known and (call.arguments or not may_grow(call.name, self._offered))):
            return
        text = call.arguments[call.sent :] if _PLAIN_ARGUMENTS.match(call.arguments) else ""
        if text or call.extras or not call.is_open:
            yield self._piece(call, text)

    def _finish(self, call: _Call) -> Iterator[dict[str, Any]]:
        if not call.sent:
            text = argument_text(call.arguments)
            call.arguments = text
            yield self._piece(call, text)

    def _piece(self, call: _Call, text: str) -> dict[str, Any]:
        head = not call.is_open
        call.is_open = True
        call.sent += len(text)
        extras, call.extras = call.extras, {}
        return {
            **extras,
            "index": call.position,
            "id": self._ids.claim(call.raw_id) if head else None,
            "type": "function",
            "function": {"name": self._means(call.name) if head else None, "arguments": text},
        }

    def _means(self, name: str) -> str:
        return match_name(name, self._offered)

    def _is_offered(self, name: str) -> bool:
        return self._means(name) in self._offered


def _to_index(raw: Any) -> int | None:
    """Return an index, also as a text or a float; `None` for anything that is none."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        return int(raw)
    except (ValueError, OverflowError):
        return None


def _is_object(text: str) -> bool:
    """Return whether the arguments are there as a whole; `{}` may still be a beginning that says nothing."""
    if not text.rstrip().endswith("}"):
        return False
    try:
        return bool(parse_json(text))
    except ValueError:
        return False
