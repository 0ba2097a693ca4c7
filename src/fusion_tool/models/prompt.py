"""A prompt on its way out: text that a request can carry, its size, and whether it offers tools."""

from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.runnables import Runnable
from langchain_core.runnables.base import RunnableBindingBase

from fusion_tool.models import replay


def to_sendable(text: str) -> str:
    """Return `text` with a mark (U+FFFD) in place of each lone surrogate, which no request can carry."""
    # Encoding is quicker than any search, and nearly every text passes.
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)
    return text


def sendable_messages(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """Return the messages, those that no request can carry replaced; files and pages are where they come from."""
    return [_to_sendable_message(message) for message in messages]


def prompt_bytes(messages: Sequence[BaseMessage]) -> int:
    """Return the prompt's length in bytes, with what frames each message, and the reasoning that goes back with it."""
    texts = (
        f"{message.type}{message.content}{getattr(message, 'tool_calls', '')}{replay.fields_to_return(message) or ''}"
        for message in messages
    )
    return sum(len(text.encode(errors="replace")) for text in texts)


def offers_tools(model: Runnable[Any, Any]) -> bool:
    """Return whether calls of `model` offer tools; a runnable of a kind that does not tell may."""
    # Bindings nest: a limit of tokens is bound around the tools, or inside.
    offered = False
    while isinstance(model, RunnableBindingBase):
        offered = offered or bool(model.kwargs.get("tools") or model.kwargs.get("functions"))
        model = model.bound
    return offered or not isinstance(model, BaseChatModel)


def innermost(model: Runnable[Any, Any]) -> Runnable[Any, Any]:
    """Return the model itself, without what is bound around it."""
    while isinstance(model, RunnableBindingBase):
        model = model.bound
    return model


def _to_sendable_message(message: BaseMessage) -> BaseMessage:
    content = _to_sendable_value(message.content)
    return message if content == message.content else message.model_copy(update={"content": content})


def _to_sendable_value(value: Any) -> Any:
    if isinstance(value, str):
        return to_sendable(value)
    if isinstance(value, list):
        return [_to_sendable_value(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _to_sendable_value(entry) for key, entry in value.items()}
    return value
