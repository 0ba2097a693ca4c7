"""The request of a response: read as the chat completion that it stands for.

Nothing is stored between requests: what would need it is refused with the cure. What the protocol echoes is echoed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from fusion_tool.servers.openai.answer_format import parse_format
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.models import AGENT
from fusion_tool.servers.openai.openrouter import TOOL
from fusion_tool.servers.openai.request import ChatRequest, parse_request
from fusion_tool.servers.openai.responses.input import read_input
from fusion_tool.servers.openai.responses.recent_items import RecentItems

_WHOLE = "nothing is stored here: send the whole conversation as input"
_REFUSED = {
    "store": "nothing is stored here: send false, or leave it out",
    "previous_response_id": _WHOLE,
    "conversation": _WHOLE,
    "background": "nothing is worked on when the client has left: use stream",
    "prompt": "no prompt templates are stored here: send instructions and input",
    "top_logprobs": "there are no log probabilities of an answer that several models made",
    "moderation": "nothing is moderated here",
    "messages": "a chat completion's: send input",
    "response_format": "a chat completion's: send text.format",
}
"""Fields whose use would change what the reply is, and what to do instead."""

_ECHO: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""The fields of a request that its response repeats, and what stands there if the client sent none."""


@dataclass(frozen=True)
class ResponsesRequest(ChatRequest):
    """A valid request of a response.

    Args:
        caller: The name of who asks.
        echo: Its fields that the response repeats.
        may_be_remembered: Whether a later request may refer to the response's items.
    """

    caller: str
    echo: dict[str, Any]
    may_be_remembered: bool


def parse_responses_request(recent: RecentItems, body: Mapping[str, Any], caller: str) -> ResponsesRequest:
    """Return the request in a response's body.

    Args:
        recent: The items that it can refer to.
        body: The body.
        caller: The name of who asks.

    Raises:
        ApiError: 400; `param` names the field.
        ConfigError: The `fusion` field cannot be understood.
    """
    for name, cure in _REFUSED.items():
        if body.get(name):
            raise ApiError(f"{name}: {cure}", param=name, code="unsupported")
    text = _object(body, "text")
    chat = parse_request(
        {name: value for name, value in body.items() if name not in ("input", "instructions", "text", "reasoning")}
        | {
            "messages": read_input(body.get("input"), body.get("instructions"), partial(recent.find, caller)),
            "tools": _tools(body.get("tools")),
            "tool_choice": _tool_choice(body.get("tool_choice")),
        }
    )
    if chat.model != AGENT and chat.messages[-1]["role"] != "user":
        raise ApiError("input: the last item must be the user's message", param="input")
    values = {field.name: getattr(chat, field.name) for field in fields(chat)}
    values["answer_format"] = parse_format(text.get("format"), "text.format", nested=False)
    may_be_remembered = body.get("store") is not False
    return ResponsesRequest(**values, caller=caller, echo=_echo(body, text), may_be_remembered=may_be_remembered)


def _echo(body: Mapping[str, Any], text: Mapping[str, Any]) -> dict[str, Any]:
    echo = {name: default if body.get(name) is None else body[name] for name, default in _ECHO.items()}
    return echo | {
        "text": _ECHO["text"] | {name: value for name, value in text.items() if value is not None},
        "reasoning": _ECHO["reasoning"] | _object(body, "reasoning"),
        "store": False,
        "background": False,
        "previous_response_id": None,
    }


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise ApiError(f"{name}: expected an object", param=name)
    return value


def _tools(tools: Any) -> Any:
    """Return function tools in the form of chat completions, in which a tool's fields stand one level deeper."""
    if not isinstance(tools, Sequence) or isinstance(tools, str):
        return tools
    return [_nested_tool(f"tools.{index}", tool) for index, tool in enumerate(tools)]


def _nested_tool(where: str, tool: Any) -> dict[str, Any]:
    kind = tool.get("type") if isinstance(tool, dict) else None
    if kind == TOOL:
        return dict(tool)
    if kind != "function":
        cure = f"the panel has tools of its own; offer function tools, to the model '{AGENT}'"
        raise ApiError(f"{where}: {kind!r} tools are not hosted here: {cure}", param=where, code="unsupported")
    function = {name: tool.get(name) for name in ("name", "description", "parameters", "strict")}
    if not isinstance(function["name"], str) or not function["name"]:
        raise ApiError(f"{where}.name: expected a name", param=f"{where}.name")
    return {"type": "function", "function": function}


def _tool_choice(choice: Any) -> Any:
    match choice:
        case {"type": "function", "name": name}:
            return {"type": "function", "function": {"name": name}}
    return choice
