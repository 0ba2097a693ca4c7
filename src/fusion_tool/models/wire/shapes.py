"""A reply's fields, of the types that the protocol gives them: one of another type costs itself, not the answer.

Protocol: OpenAI's chat completions. Servers are reported that send a lone choice in place of the list, parts of a text
in place of the text, a number where a name belongs, or a field twice; LangChain raises on most of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TEXTS = ("id", "model", "system_fingerprint", "service_tier", "provider")
"""A reply's own fields that LangChain takes over: joined chunks must agree in their type."""
_MESSAGES = ("message", "delta")
_WRAPPERS = ("data", "result", "response", "output")
"""Where gateways put a provider's whole reply."""
_TEXT_TYPES = ("text", "output_text")


def conform_reply(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reply or a stream's chunk with at most one choice: the first one that can be read.

    Args:
        body: A JSON object that is no error.
    """
    choices = [_complete(choice) for choice in _choices(body.get("choices"))]
    readable = [choice for choice in choices if any(isinstance(choice.get(name), dict) for name in _MESSAGES)]
    fields = {key: value for key, value in body.items() if key not in _TEXTS or isinstance(value, str)}
    return fields | {"choices": [_conform_choice(choice) for choice in (readable or choices)[:1]]}


def unwrap_reply(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the reply inside a gateway's envelope, or Ollama's own form in OpenAI's; anything else as it is."""
    if "choices" in body:
        return body
    message = body.get("message")
    if isinstance(message, dict) and "content" in message:
        choice = {"index": 0, "message": message, "finish_reason": body.get("done_reason")}
        return {**body, "choices": [choice]}
    return next((body[key] for key in _WRAPPERS if isinstance(body.get(key), dict) and body[key].get("choices")), body)


def read_text(content: Any) -> Any:
    """Return a message's content: a text, also where it came in parts; a list where parts of other types are in it."""
    if isinstance(content, dict):
        content = content["parts"] if isinstance(content.get("parts"), list) else [content]
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    typed = [_to_part(part) for part in content]
    parts = [part for part in typed if isinstance(part, str) or _is_part(part)]
    if all(isinstance(part, str) or part["type"] == "text" for part in parts):
        return "".join(part if isinstance(part, str) else part["text"] for part in parts)
    return parts


def _choices(raw: Any) -> Iterator[dict[str, Any]]:
    """Return the objects among the choices; a lone one, and lists in the list, are taken for what they hold."""
    if isinstance(raw, dict):
        raw = [raw]
    for entry in raw if isinstance(raw, list) else ():
        if isinstance(entry, dict):
            yield entry
        elif isinstance(entry, list):
            yield from _choices(entry)


def _conform_choice(choice: dict[str, Any]) -> dict[str, Any]:
    reason = choice.get("finish_reason")
    fields = {key: value for key, value in choice.items() if key not in (*_MESSAGES, "logprobs")}
    for name in _MESSAGES:
        if isinstance(message := choice.get(name), dict):
            fields[name] = {key: _FIELDS[key](value) if key in _FIELDS else value for key, value in message.items()}
    fields["finish_reason"] = reason if isinstance(reason, str) and reason else None
    return fields


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


_FIELDS: dict[str, Callable[[Any], Any]] = {
    "content": read_text,
    **dict.fromkeys(("refusal", "name", "id", "role"), _text_or_none),
    "annotations": _objects,
    "audio": lambda value: value if isinstance(value, dict) else None,
}
"""What a message's fields are made of whatever came."""


def _complete(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a choice of the older completions with its text as a message."""
    if isinstance(choice.get("text"), str) and not any(isinstance(choice.get(name), dict) for name in _MESSAGES):
        return {**choice, "message": {"content": choice["text"]}}
    return choice


def _to_part(part: Any) -> Any:
    """Return a part with its text under the protocol's type, where another interface of the provider named it."""
    is_text = isinstance(part, dict) and part.get("type", "text") in _TEXT_TYPES
    return {**part, "type": "text"} if is_text else part


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict) or not isinstance(part.get("type"), str):
        return False
    return part["type"] != "text" or isinstance(part.get("text"), str)
