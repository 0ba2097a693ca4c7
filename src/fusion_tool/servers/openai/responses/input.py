"""The `input` of a response as a conversation of chat messages, which both kinds of models read.

Clients send the whole conversation with each request, in the items that came as output: messages with ids and
annotations, refusals, function calls and their results, reasoning.

Protocol: https://platform.openai.com/docs/api-reference/responses/create, `input`.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from fusion_tool.models.replay import EXTRA
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.responses.reasoning import REASONING_ID, read_reasoning

FindItem: TypeAlias = Callable[[Any], dict[str, Any] | None]

_ROLES = ("user", "system", "developer", "assistant")
_TEXT_PARTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
"""The parts that are text, and the field in which it stands."""


def read_input(value: Any, instructions: Any, find: FindItem) -> list[dict[str, Any]]:
    """Return the chat messages that an input stands for.

    Args:
        value: A text, or a list of items.
        instructions: The system's message before them; `None` for none.
        find: Returns the item that a reference means, `None` where it is not known.

    Raises:
        ApiError: 400; `param` names the item at fault.
    """
    if not isinstance(instructions, str | None):
        raise ApiError("instructions: expected a text", param="instructions")
    reader = _Reader(find)
    if instructions:
        reader.messages.append({"role": "system", "content": instructions})
    if isinstance(value, str):
        return [*reader.messages, {"role": "user", "content": value}]
    if not isinstance(value, list) or not value:
        raise ApiError("input: expected a text, or a list with at least one item", param="input")
    for index, item in enumerate(value):
        reader.add(f"input.{index}", item)
    return reader.close()


class _Reader:
    """Reads items; what the assistant said, thought and called in one turn becomes one message."""

    def __init__(self, find: FindItem) -> None:
        self._find = find
        self.messages: list[dict[str, Any]] = []
        self._turn: dict[str, Any] | None = None
        self._open: set[str] = set()

    def add(self, where: str, item: Any) -> None:
        kind = (item.get("type") or "message") if isinstance(item, dict) else None
        match kind:
            case "message":
                self._add_message(where, item)
            case "function_call":
                self._add_call(where, item)
            case "function_call_output":
                self._add_result(where, item)
            case "reasoning":
                self._add_reasoning(item)
            case "item_reference":
                self._add_reference(where, item)
            case _:
                raise ApiError(f"{where}: {kind!r} items are not taken; leave it out", param=where, code="unsupported")

    def close(self) -> list[dict[str, Any]]:
        """Return the messages, their calls with the extras that a reasoning item had for them."""
        for message in self.messages:
            extras = message.pop("extras", {})
            for call in message.get("tool_calls", ()):
                if call["id"] in extras:
                    call[EXTRA] = extras[call["id"]]
        return self.messages

    def _add_message(self, where: str, item: Mapping[str, Any]) -> None:
        role, text = item.get("role"), _text(f"{where}.content", item.get("content"))
        if role not in _ROLES:
            raise ApiError(f"{where}.role: expected one of {', '.join(_ROLES)}", param=f"{where}.role")
        if role == "assistant":
            turn = self._assistant_turn()
            turn["content"] = "\n\n".join(filter(None, (turn["content"], text)))
        else:
            self._turn, self._open = None, set()
            self.messages.append({"role": role, "content": text})

    def _add_call(self, where: str, item: Mapping[str, Any]) -> None:
        call_id, name, arguments = item.get("call_id"), item.get("name"), item.get("arguments")
        for field, value in (("call_id", call_id), ("name", name), ("arguments", arguments)):
            if not isinstance(value, str) or not (value or field == "arguments"):
                raise ApiError(f"{where}.{field}: expected a text", param=f"{where}.{field}")
        function = {"name": name, "arguments": arguments}
        self._assistant_turn()["tool_calls"].append({"id": call_id, "type": "function", "function": function})
        self._open.add(str(call_id))

    def _add_result(self, where: str, item: Mapping[str, Any]) -> None:
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or call_id not in self._open:
            problem = "it answers no function_call since the last message of the user's"
            raise ApiError(f"{where}.call_id: {problem}", param=f"{where}.call_id")
        self._open.discard(call_id)
        self._turn = None
        text = _text(f"{where}.output", item.get("output"))
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def _add_reasoning(self, item: Mapping[str, Any]) -> None:
        fields, extras = read_reasoning(item)
        if fields or extras:
            turn = self._assistant_turn()
            turn |= fields
            turn["extras"] |= extras

    def _add_reference(self, where: str, item: Mapping[str, Any]) -> None:
        if (known := self._find(item.get("id"))) is not None:
            self.add(where, known)
        elif not str(item.get("id")).startswith(REASONING_ID):
            cure = "send the item itself (AI SDK: providerOptions.openai.store = false)"
            raise ApiError(f"{where}: no such item is remembered here; {cure}", param=where, code="item_not_found")

    def _assistant_turn(self) -> dict[str, Any]:
        """Return the assistant's message that is being read, a new one after a result or another's message."""
        if self._turn is None:
            self._turn = {"role": "assistant", "content": "", "tool_calls": [], "extras": {}}
            self.messages.append(self._turn)
        return self._turn


def _text(where: str, content: Any) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise ApiError(f"{where}: expected a text or a list of parts", param=where)
    return "\n".join(filter(None, (_part_text(f"{where}.{index}", part) for index, part in enumerate(content))))


def _part_text(where: str, part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(kind, str) or kind not in _TEXT_PARTS:
        raise ApiError(f"{where}: {kind!r} parts are not taken, only text", param=where)
    text = part.get(_TEXT_PARTS[kind]) or ""
    if not isinstance(text, str):
        raise ApiError(f"{where}.{_TEXT_PARTS[kind]}: expected a text", param=f"{where}.{_TEXT_PARTS[kind]}")
    return text
