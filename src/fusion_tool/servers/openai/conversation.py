"""The conversation that a client sends to `fusion-agent`, as LangChain's messages.

Clients send back what they have kept: null where a field is optional, no `content` beside tool calls, the older
`function_call`, calls whose arguments broke off, ids that are missing or come twice, calls that nobody answered.
LangChain's own reader raises on some of it without saying where, and passes the rest on to providers that refuse it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.tool import default_tool_parser

from fusion_tool.models import replay
from fusion_tool.models.wire.tool_calls import name_and_arguments, normalize_tool_calls
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.request import text_of

_NAME = re.compile(r"[^\s<|\\/>]{1,64}")
"""OpenAI's own rule for a speaker's name."""
_UNANSWERED = "The client sent no result of this call."


class _OpenCall(NamedTuple):
    """A call that waits for its result: its id as the client has it, its name, and the id that goes on."""

    sent_id: Any
    name: str
    id: str


def read_conversation(
    messages: Sequence[Mapping[str, Any]], offered: Collection[str] = (), endpoint: str | None = None
) -> list[BaseMessage]:
    """Return the messages that `check_messages` let pass as LangChain's.

    Every call has an id of its own and a result; one that the client did not answer is answered by saying so. An
    assistant's message that says nothing is left out.

    Args:
        messages: OpenAI's messages.
        offered: The names of the tools that the model is offered.
        endpoint: The mark of the endpoint whose reasoning it is where a message does not say; `None`: it is left out.

    Raises:
        ApiError: 400; `param` names the message's index and field.
    """
    reader = _Reader(offered, endpoint)
    for index, message in enumerate(messages):
        reader.add(f"messages.{index}", message)
    return reader.close()


class _Reader:
    def __init__(self, offered: Collection[str], endpoint: str | None) -> None:
        self._offered, self._endpoint = offered, endpoint
        self._messages: list[BaseMessage] = []
        self._used: set[str] = set()
        self._open: list[_OpenCall] = []

    def add(self, where: str, message: Mapping[str, Any]) -> None:
        role = message["role"]
        if role in ("tool", "function"):
            self._messages.append(self._result(where, message))
            return
        self._answer_open_calls()
        if role == "assistant":
            self._add_reply(where, message)
        elif role == "user":
            self._messages.append(HumanMessage(_content(message), name=_name(where, message)))
        else:  # `developer` as well: only OpenAI's own models know that role
            self._messages.append(SystemMessage(_content(message)))

    def close(self) -> list[BaseMessage]:
        self._answer_open_calls()
        if not self._messages:
            raise ApiError("messages: there is nothing to answer", param="messages")
        return self._messages

    def _add_reply(self, where: str, message: Mapping[str, Any]) -> None:
        entries = _entries(where, message)
        calls = normalize_tool_calls({"tool_calls": entries}, self._offered, self._used).get("tool_calls", [])
        content = _content(message) or str(message.get("refusal") or "")
        if not content and not calls:  # a turn that was interrupted; most providers refuse it
            return
        # Providers match results to calls by id over the whole conversation: none may come twice.
        self._used |= {call["id"] for call in calls}
        self._open = [
            _OpenCall(entry.get("id"), call["function"]["name"], call["id"])
            for entry, call in zip(entries, calls, strict=True)
        ]
        _check_reasoning(where, message, calls)
        whole, invalid = default_tool_parser(calls)
        reply = AIMessage(content, tool_calls=whole, invalid_tool_calls=invalid)
        replay.read_fields(reply, {**message, "tool_calls": calls}, self._endpoint if calls else None)
        self._messages.append(reply)

    def _result(self, where: str, message: Mapping[str, Any]) -> ToolMessage:
        sent_id = message.get("tool_call_id")
        if sent_id:
            matches = [call for call in self._open if call.sent_id == sent_id]
        else:  # the older `function` has a name alone, and some clients have no ids
            matches = [call for call in self._open if message.get("name") in (None, "", call.name)]
        if not matches:
            field = "name" if message["role"] == "function" else "tool_call_id"
            raise ApiError(f"{where}.{field}: it answers no tool call of the message before", param=f"{where}.{field}")
        call = matches[0]
        self._open.remove(call)
        return ToolMessage(text_of(message), tool_call_id=call.id, name=call.name)

    def _answer_open_calls(self) -> None:
        # Providers refuse a conversation in which a call has no result before the next message.
        self._messages += [ToolMessage(_UNANSWERED, tool_call_id=call.id, name=call.name) for call in self._open]
        self._open = []


def _entries(where: str, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls of an assistant's message, each of which has a name."""
    field, entries = "tool_calls", message.get("tool_calls")
    if not entries and message.get("function_call"):
        field, entries = "function_call", [{"function": message["function_call"]}]
    if entries is not None and not isinstance(entries, list):
        raise ApiError(f"{where}.{field}: expected a list of tool calls", param=f"{where}.{field}")
    for index, entry in enumerate(entries or ()):
        place = f"{where}.{field}.{index}" if field == "tool_calls" else f"{where}.{field}"
        name, _ = name_and_arguments(entry) if isinstance(entry, dict) else (None, None)
        if not isinstance(name, str) or not name.strip():
            raise ApiError(f"{place}: expected a call of a function with a name", param=place)
    return entries or []


def _check_reasoning(where: str, message: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> None:
    """Check what a client sends back of a model's reasoning: it goes on to the provider as it is."""
    fields: list[tuple[str, Any, type]] = [
        (f"{where}.reasoning", message.get("reasoning"), str),
        (f"{where}.reasoning_content", message.get("reasoning_content"), str),
        (f"{where}.reasoning_details", message.get("reasoning_details"), list),
        (f"{where}.{replay.MARK}", message.get(replay.MARK), str),
        *((f"{where}.tool_calls.{i}.{replay.EXTRA}", call.get(replay.EXTRA), dict) for i, call in enumerate(calls)),
    ]
    for place, value, kind in fields:
        if not isinstance(value, kind | None):
            raise ApiError(f"{place}: expected what the reply held", param=place)


def _content(message: Mapping[str, Any]) -> str | list[str | dict[str, Any]]:
    """Return a message's text; in parts only where they say more than it, such as where a prompt's cache ends."""
    parts = message.get("content")
    if isinstance(parts, list) and any(part.get("cache_control") for part in parts):
        return [part for part in parts if part.get("text")]
    return text_of(message)


def _name(where: str, message: Mapping[str, Any]) -> str | None:
    name = message.get("name") or None
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise ApiError(f"{where}.name: expected at most 64 characters without spaces", param=f"{where}.name")
    return name
