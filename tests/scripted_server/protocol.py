"""What OpenAI turns down, so that a malformed conversation fails here as it would there."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.scripted_server.faults import openai_error
from tests.scripted_server.reply import Raw

_ROLES = {"system", "developer", "user", "assistant", "tool"}


def objection(body: Mapping[str, Any]) -> Raw | None:
    """The 400 for a body that OpenAI would not accept, None where it would."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return _bad("Missing required parameter: 'messages'.", "messages")
    if not isinstance(body.get("model"), str) or not body["model"]:
        return _bad("you must provide a model parameter", "model")
    if body.get("tool_choice") is not None and not body.get("tools"):
        return _bad("Invalid value for 'tool_choice': only allowed when 'tools' are specified.", "tool_choice")
    if body.get("stream_options") is not None and not body.get("stream"):
        return _bad("'stream_options' is only allowed when 'stream' is enabled.", "stream_options")
    return _bad_messages(messages)


def _bad_messages(messages: Sequence[Mapping[str, Any]]) -> Raw | None:
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        role = message.get("role")
        if role not in _ROLES:
            return _bad(f"Invalid value: {role!r}.", f"messages[{index}].role")
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                return _bad("'tool' must be a response to a preceding message with 'tool_calls'.", "messages")
            open_calls.remove(message["tool_call_id"])
        elif open_calls:
            break
        else:
            open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    if open_calls:
        missing = ", ".join(sorted(open_calls))
        return _bad(f"'tool_calls' must be followed by tool messages; none for: {missing}", "messages")
    return None


def _bad(message: str, param: str) -> Raw:
    return openai_error(400, message, kind="invalid_request_error", code=None, param=param)
