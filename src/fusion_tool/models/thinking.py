"""Thinking blocks in a message's content, as Anthropic's own client has them: back to the model that thought, as is.

Its client sends a message's blocks back by itself, to whichever model the message goes. The signature in a block is
good for one model alone, and a server of another vendor knows no such blocks.

Protocol: Anthropic, "Extended thinking", on tool use; OpenRouter, "Reasoning tokens", for the form in which blocks go
to a client of ours.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.replay import DETAILS, MARK, endpoints_of, fields_to_return, keep_mark

_KINDS = ("thinking", "redacted_thinking")
_FORMAT = "anthropic-claude-v1"


def model_mark(panelist: Panelist) -> str:
    """Return the mark of a panelist's model, as `replay` has marks of endpoints."""
    return sha256(f"{endpoint_for(panelist)} {panelist.model_name}".encode()).hexdigest()[:16]


def mark_blocks(message: AIMessage, panelist: Panelist) -> None:
    """Note on `message`, a reply of `panelist`, whose its thinking blocks are; a message without any stays as it is."""
    if _blocks(message):
        keep_mark(message, model_mark(panelist))


def fit_blocks(messages: Sequence[BaseMessage], panelist: Panelist) -> list[BaseMessage]:
    """Return `messages` with the thinking blocks of `panelist`'s model, and of no other."""
    if not any(isinstance(message, AIMessage) for message in messages):
        return list(messages)
    mark = model_mark(panelist)
    return [_fit(message, mark) if isinstance(message, AIMessage) else message for message in messages]


def fields_for_client(message: BaseMessage) -> dict[str, Any]:
    """Return the fields of a reply that its client has to send back, with the mark of the endpoint they came from.

    Returns:
        As `replay.fields_to_return`, thinking blocks as `reasoning_details`; empty where there are none.
    """
    fields = _details(message) | fields_to_return(message)
    return fields and fields | {MARK: endpoints_of(message)[0]}


def _fit(message: AIMessage, mark: str) -> AIMessage:
    blocks, is_own = _blocks(message), mark in endpoints_of(message)
    if blocks and not is_own:
        content = [block for block in message.content if block not in blocks]
        return message.model_copy(update={"content": content})
    if is_own and not blocks and isinstance(message.content, str):  # it has been with a client
        blocks = list(_from_details(fields_to_return(message, mark).get(DETAILS, ())))
        text = [{"type": "text", "text": message.content}] if message.content else []
        return message.model_copy(update={"content": [*blocks, *text]}) if blocks else message
    return message


def _details(message: BaseMessage) -> dict[str, Any]:
    details = [
        {"type": "reasoning.encrypted", "data": block.get("data"), "format": _FORMAT, "index": index}
        if block["type"] == "redacted_thinking"
        else {
            "type": "reasoning.text",
            "text": block.get("thinking", ""),
            "signature": block.get("signature"),
            "format": _FORMAT,
            "index": index,
        }
        for index, block in enumerate(_blocks(message))
    ]
    return {DETAILS: details} if details else {}


def _blocks(message: BaseMessage) -> list[dict[str, Any]]:
    content = message.content if isinstance(message.content, list) else []
    known = [block for block in content if isinstance(block, dict) and block.get("type") in _KINDS]
    return [block for block in known if isinstance(block.get("thinking", ""), str)]  # Mistral's are lists


def _from_details(details: Sequence[Any]) -> Iterator[dict[str, Any]]:
    for detail in details:
        if not isinstance(detail, dict) or detail.get("format") != _FORMAT:
            continue
        if detail.get("type") == "reasoning.encrypted":
            yield {"type": "redacted_thinking", "data": detail.get("data")}
        else:
            yield {"type": "thinking", "thinking": detail.get("text", ""), "signature": detail.get("signature")}
