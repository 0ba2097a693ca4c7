"""A chat completion's request, read and checked.

Refused is whatever would change the reply's shape or meaning and is not supported. Ignored, as other compatible
servers do, is what steers sampling (every seat has its own) and what is for accounting.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import BaseMessage, ChatMessage, HumanMessage, SystemMessage

from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.graph.inputs import RunInput, parse_messages
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.overrides import (
    OPERATOR_ONLY,
    OVERRIDABLE,
    RunOverrides,
    parse_fusion_plugin,
    parse_overrides,
)

_INSTRUCTING = ("system", "developer")
_ROLES = (*_INSTRUCTING, "user", "assistant", "tool", "function")


def check_messages(messages: Any) -> list[dict[str, Any]]:
    """Return `messages`, all of whose contents are texts.

    Raises:
        ApiError: `messages` is no list of chat messages, or holds images, sounds or files.
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


def to_question(messages: list[dict[str, Any]]) -> RunInput:
    """Return what messages that `check_messages` let pass ask.

    Raises:
        ApiError: The last message is not the user's.
    """
    *earlier, last = messages
    if last["role"] != "user":
        raise ApiError("the last message must be the user's", param=f"messages.{len(earlier)}")
    return parse_messages([*map(_to_message, earlier), HumanMessage(_text_of(last))])


def _to_message(message: dict[str, Any]) -> BaseMessage:
    if message["role"] in _INSTRUCTING:
        return SystemMessage(_text_of(message))
    # Of the role's own name, not LangChain's: this is how the seats read who said it.
    return ChatMessage(content=_text_of(message), role=message["role"])


def _text_of(message: dict[str, Any]) -> str:
    """Return a message's text, without halves of characters, which no provider takes."""
    content = message.get("content") or ""
    text = content if isinstance(content, str) else "\n".join(str(part.get("text", "")) for part in content)
    return text.encode("utf-8", "replace").decode("utf-8")


def _kinds(content: Any, where: str) -> Iterator[str]:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError("expected a text or a list of parts", param=where)
    yield from (str(part.get("type", "untyped")) for part in content)


DEPTH = "fusion-depth"
"""The header by which a request says how many fusions it comes out of."""

_SHARED_WITH_OPENAI = frozenset({"model", "models", "temperature", "seed", "reasoning", "max_tokens"})
"""Names that mean something else in a chat completion than in a configuration."""


@dataclass(frozen=True)
class ChatRequest:
    """A valid request.

    Args:
        model: The model's name.
        messages: The conversation, as OpenAI's messages, of texts alone.
        fusion: What the caller changes of the configuration.
        stream: Whether the answer is sent while it is written.
        include_usage: Whether a stream ends with the bill.
        tools: The client's own tools.
        tool_choice: Which of them must be called; `None` leaves it to the model.
        sampling: Sampling of a single model, for `fusion-agent`.
    """

    model: str
    messages: list[dict[str, Any]]
    fusion: RunOverrides
    stream: bool
    include_usage: bool
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any] | None
    sampling: dict[str, Any]


def parse_request(body: Mapping[str, Any]) -> ChatRequest:
    """Return the request in a chat completion's body.

    Raises:
        ApiError: 400; `param` names the field.
        ConfigError: The `fusion` field or the plugin cannot be understood.
    """
    _reject_settings(body)
    _reject_shapes(body)
    model, stream = body.get("model"), body.get("stream") or False
    if not isinstance(model, str):
        raise ApiError("name a model; GET /v1/models lists them", param="model")
    if not isinstance(stream, bool):
        raise ApiError("expected true or false", param="stream")
    fusion = body.get("fusion") or {}
    if not isinstance(fusion, dict):
        raise ConfigError(f"expected an object with {', '.join(OVERRIDABLE)}", field="fusion")
    options = body.get("stream_options") or {}
    return ChatRequest(
        model=model,
        messages=check_messages(body.get("messages")),
        # The field `fusion` wins over the plugin, being this server's own.
        fusion=parse_overrides({**parse_fusion_plugin(body.get("plugins") or []), **fusion}),
        stream=stream,
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        tools=_tools(body.get("tools")),
        tool_choice=body.get("tool_choice"),
        sampling=_sampling(body),
    )


def refuse_recursion(headers: Mapping[str, str]) -> None:
    """Refuse a request that a seat of another run sends.

    Raises:
        RecursionRefused: It comes out of a fusion.
    """
    if headers.get(DEPTH, "0").strip() not in ("", "0"):
        raise RecursionRefused("a fusion was started by a panelist of another fusion; give that seat another model")


def _reject_settings(body: Mapping[str, Any]) -> None:
    """Refuse a setting beside the request's own fields, which would be ignored in silence."""
    for name in body:
        if name in _SHARED_WITH_OPENAI:
            continue
        if name in OPERATOR_ONLY:
            raise ConfigError("only the operator of this server may set it", field=name)
        if name in OVERRIDABLE:
            raise ConfigError('put it into the field "fusion"', field=name)


def _reject_shapes(body: Mapping[str, Any]) -> None:
    shape = body.get("response_format") or {"type": "text"}
    refused = {
        "n": body.get("n") not in (None, 1),
        "logprobs": bool(body.get("logprobs")),
        "top_logprobs": bool(body.get("top_logprobs")),
        "functions": bool(body.get("functions")),
        "function_call": bool(body.get("function_call")),
        "audio": bool(body.get("audio")),
        "modalities": body.get("modalities") not in (None, ["text"]),
        "models": bool(body.get("models")),
        "response_format": not isinstance(shape, dict) or shape.get("type") != "text",
    }
    for name, is_used in refused.items():
        if is_used:
            raise ApiError(f"'{name}' is not supported here", param=name, code="unsupported")


def _tools(tools: Any) -> list[dict[str, Any]]:
    if not tools:
        return []
    if not isinstance(tools, list) or not all(map(_is_function, tools)):
        raise ApiError("expected a list of function tools, each with a name", param="tools")
    return tools


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
    return isinstance(function, dict) and isinstance(function.get("name"), str) and bool(function["name"])


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    sampling = {name: body.get(name) for name in ("temperature", "top_p", "stop", "seed")} | {"max_tokens": limit}
    return {name: value for name, value in sampling.items() if value is not None}
