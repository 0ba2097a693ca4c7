"""From chat messages to a panel's question: the last one asks, the earlier ones are context, the system's instruct."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fusion_tool.servers.refusals import ApiError

_INSTRUCTING = ("system", "developer")
_ROLES = (*_INSTRUCTING, "user", "assistant", "tool", "function")


@dataclass(frozen=True)
class Conversation:
    """A panel's question, what was said before, and how the answer should be written."""

    question: str
    context: str
    instructions: str


def checked(messages: Any) -> list[dict[str, Any]]:
    """`messages`, whose contents are texts.

    Raises:
        ApiError: They are no list of chat messages, or hold images, sounds or files.
    """
    if not isinstance(messages, list) or not messages:
        raise ApiError("expected a list with at least one message", param="messages")
    for index, message in enumerate(messages):
        where = f"messages.{index}"
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise ApiError(f"expected a message with a role out of {', '.join(_ROLES)}", param=where)
        for kind in _kinds(message.get("content"), f"{where}.content"):
            if kind != "text":
                raise ApiError(f"{kind!r} parts are not taken, only text", param=f"{where}.content")
    return messages


def conversation(messages: list[dict[str, Any]]) -> Conversation:
    """What `checked` messages ask.

    Raises:
        ApiError: The last message is not the user's.
    """
    *earlier, last = messages
    if last["role"] != "user":
        raise ApiError("the last message must be the user's", param=f"messages.{len(earlier)}")
    said = [message for message in earlier if message["role"] not in _INSTRUCTING]
    return Conversation(
        question=text_of(last),
        context="\n\n".join(f"{message['role']}: {text}" for message in said if (text := text_of(message))),
        instructions="\n\n".join(text_of(message) for message in earlier if message["role"] in _INSTRUCTING),
    )


def text_of(message: dict[str, Any]) -> str:
    """A message's text, without halves of characters, which no provider takes."""
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)
    return text.encode("utf-8", "replace").decode("utf-8")


def _kinds(content: Any, where: str) -> Iterator[str]:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError("expected a text or a list of parts", param=where)
    yield from (str(part.get("type", "untyped")) for part in content)
