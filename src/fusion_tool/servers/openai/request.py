"""The request of a chat completion, read and checked.

Fields that would change the reply's shape or meaning, and are not supported, are refused. Fields that steer sampling
(each seat has its own), but not the answer's length, or keep accounts are ignored, as other compatible servers do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from langchain_core.messages import BaseMessage, ChatMessage, HumanMessage, SystemMessage
from pydantic import Field, TypeAdapter, ValidationError

from fusion_tool.config.base import Tokens
from fusion_tool.config.words import complaint
from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.graph.inputs import RunInput, parse_messages
from fusion_tool.servers.openai.answer_format import AnswerFormat, parse_format
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.openrouter import parse_fusion_plugin, take_fusion_tool
from fusion_tool.servers.overrides import (
    OPERATOR_ONLY,
    OVERRIDABLE,
    RunOverrides,
    parse_overrides,
)

_INSTRUCTING = ("system", "developer")
_ROLES = (*_INSTRUCTING, "user", "assistant", "tool", "function")
_TEXT_PARTS = ("text", "refusal")
"""The parts of a message whose text it is: what a model refused with is in the history, too."""


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
            raise ApiError(f"{where}.role: expected a message with a role out of {', '.join(_ROLES)}", param=where)
        _check_content(message.get("content"), f"{where}.content")
    return messages


def to_question(messages: list[dict[str, Any]]) -> RunInput:
    """Return the question that a conversation ends with, and its earlier turns as context.

    Args:
        messages: OpenAI's messages, which `check_messages` let pass.

    Raises:
        ApiError: The last message is not the user's.
    """
    *earlier, last = messages
    if last["role"] != "user":
        raise ApiError("the last message must be the user's", param=f"messages.{len(earlier)}")
    return parse_messages([*map(_to_message, earlier), HumanMessage(text_of(last))])


def _to_message(message: dict[str, Any]) -> BaseMessage:
    if message["role"] in _INSTRUCTING:
        return SystemMessage(text_of(message))
    # Under OpenAI's name of the role, not LangChain's: by it the seats read who said it.
    return ChatMessage(content=text_of(message), role=message["role"])


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message that `check_messages` let pass, without halves of characters."""
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else [part.get("text") or part.get("refusal") for part in content]
    return "\n".join(part for part in parts if part).encode("utf-8", "replace").decode("utf-8")


def _check_content(content: Any, where: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise ApiError(f"{where}: expected a text or a list of parts", param=where)
    for index, part in enumerate(content):
        kind = part.get("type") or "untyped"
        if kind not in _TEXT_PARTS:
            raise ApiError(f"{where}.{index}: {kind!r} parts are not taken, only text", param=where)
        if not isinstance(part.get(kind), str | None):
            raise ApiError(f"{where}.{index}.{kind}: expected a text", param=f"{where}.{index}.{kind}")


DEPTH = "fusion-depth"
"""The header that says how many fusions a request comes out of."""

_SHARED_WITH_OPENAI = frozenset({"model", "models", "temperature", "seed", "reasoning", "max_tokens", "tools"})
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
        sampling: Sampling of a single model, for `fusion-agent`; its `max_tokens` bounds a panel's answer, too.
        answer_format: The form of the answer; `None` for plain text.
    """

    model: str
    messages: list[dict[str, Any]]
    fusion: RunOverrides
    stream: bool
    include_usage: bool
    tools: list[dict[str, Any]]
    tool_choice: str | dict[str, Any] | None
    sampling: dict[str, Any]
    answer_format: AnswerFormat | None


def parse_request(body: Mapping[str, Any]) -> ChatRequest:
    """Return the request in a chat completion's body.

    Raises:
        ApiError: 400; `param` names the field.
        ConfigError: The `fusion` field, OpenRouter's plugin or its tool cannot be understood.
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
    client_tools, tool_settings = take_fusion_tool(body.get("tools"))
    return ChatRequest(
        model=model,
        messages=check_messages(body.get("messages")),
        # The field `fusion` wins over the plugin and the tool, being this server's own.
        fusion=parse_overrides({**parse_fusion_plugin(body.get("plugins") or []), **tool_settings, **fusion}),
        stream=stream,
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        tools=_tools(client_tools),
        tool_choice=body.get("tool_choice"),
        sampling=_sampling(body),
        answer_format=parse_format(body.get("response_format"), "response_format", nested=True),
    )


def refuse_recursion(headers: Mapping[str, str]) -> None:
    """Refuse a request that a seat of another run sends.

    Raises:
        RecursionRefused: It comes out of a fusion.
    """
    # Whatever else stands there counts as a depth: guessing wrongly would let panels call panels, at any cost.
    if headers.get(DEPTH, "0").strip() not in ("", "0"):
        raise RecursionRefused("a fusion was started by a panelist of another fusion; give that seat another model")


def _reject_settings(body: Mapping[str, Any]) -> None:
    """Refuse a setting beside the request's own fields, which would be ignored in silence."""
    for name, value in body.items():
        if name in _SHARED_WITH_OPENAI or value is None:  # many clients send every field
            continue
        if name in OPERATOR_ONLY:
            raise ConfigError("only the operator of this server may set it", field=name)
        if name in OVERRIDABLE:
            raise ConfigError('put it into the field "fusion"', field=name)


def _reject_shapes(body: Mapping[str, Any]) -> None:
    # By value, not by presence: many clients send every field, with its default.
    is_used_by_name = {
        "n": body.get("n") not in (None, 1),
        "logprobs": bool(body.get("logprobs")),
        "top_logprobs": bool(body.get("top_logprobs")),
        "functions": bool(body.get("functions")),
        "function_call": bool(body.get("function_call")),
        "audio": bool(body.get("audio")),
        "modalities": body.get("modalities") not in (None, ["text"]),
        "models": bool(body.get("models")),
    }
    for name, is_used in is_used_by_name.items():
        if is_used:
            raise ApiError(f"'{name}' is not supported here", param=name, code="unsupported")


def _tools(tools: Any) -> list[dict[str, Any]]:
    if not tools:
        return []
    if not isinstance(tools, list) or not all(map(_is_function, tools)):
        raise ApiError("expected a list of function tools, each with a name", param="tools")
    functions = [{key: value for key, value in tool["function"].items() if value is not None} for tool in tools]
    for index, function in enumerate(functions):
        if not isinstance(function.get("parameters", {}), dict):
            where = f"tools.{index}.function.parameters"
            raise ApiError(f"{where}: expected a JSON schema", param=where)
        if any(function["name"] == other["name"] for other in functions[:index]):
            where = f"tools.{index}.function.name"
            raise ApiError(f"{where}: '{function['name']}' is there twice", param=where)
    return [{"type": "function", "function": function} for function in functions]


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) and tool.get("type") in ("function", None) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str) and bool(function["name"])


_LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
_SAMPLING: dict[str, TypeAdapter[Any]] = {
    "temperature": TypeAdapter(Annotated[float, Field(ge=0, le=2)]),
    "top_p": TypeAdapter(Annotated[float, Field(ge=0, le=1)]),
    "stop": TypeAdapter(str | list[str]),
    "seed": TypeAdapter(int),
    "max_tokens": TypeAdapter(Tokens),
    "max_completion_tokens": TypeAdapter(Tokens),
    "max_output_tokens": TypeAdapter(Tokens),
}
"""What a client may say of a single model's sampling, and the values that it can have."""


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    sampling: dict[str, Any] = {}
    for name, values in _SAMPLING.items():
        try:
            sampling[name] = None if body.get(name) is None else values.validate_python(body[name], strict=True)
        except ValidationError as error:
            raise ApiError(f"{name}: {complaint(error.errors())[1]}", param=name) from None
    limits = [limit for name in _LIMITS if (limit := sampling.pop(name)) is not None]
    # All three names mean one limit: where a client sends several, all hold.
    sampling["max_tokens"] = min(limits, default=None)
    return {name: value for name, value in sampling.items() if value not in (None, "", [])}
