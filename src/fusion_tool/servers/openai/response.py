"""The answer in OpenAI's objects: its parts while it is made, and the whole.

Protocol: https://platform.openai.com/docs/api-reference/chat/object; `fusion` and `usage.cost` are additions.
"""

import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from starlette.types import Send

from fusion_tool.budget.usage import Usage
from fusion_tool.graph.cited_answer import CitationSpan
from fusion_tool.servers.openai.errors import ApiError


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ProgressPiece:
    """A line on what is being done."""

    line: str


@dataclass(frozen=True, slots=True)
class EndPiece:
    """The end of an answer, and what is sent with it.

    Args:
        usage: The bill of all calls.
        fusion: The analysis, the sources and the rest of the result.
        finish_reason: OpenAI's word for why the answer ended.
        tool_calls: Calls of the client's own tools, as OpenAI's objects.
        reasoning: Further fields of the message that the client is to send back: what the model thought.
        citations: Where the answer cites what.
    """

    usage: Usage
    fusion: Mapping[str, Any]
    finish_reason: str = "stop"
    tool_calls: Sequence[Mapping[str, Any]] = ()
    reasoning: Mapping[str, Any] = field(default_factory=dict)
    citations: Sequence[CitationSpan] = ()


Emit: TypeAlias = Callable[[TextPiece | ProgressPiece], Awaitable[None]]


class Responder(Protocol):
    """The writer of one reply, in the client's protocol; either `end` or `fail` is its last word."""

    async def feed(self, piece: TextPiece | ProgressPiece) -> None:
        """Take a piece of the answer."""

    async def end(self, end: EndPiece) -> None:
        """Send what is left of the answer, and what stands beside it."""

    async def fail(self, error: ApiError) -> None:
        """Send the error."""

    def close(self) -> None:
        """Let go of what the reply holds, however it ended."""


def usage_object(usage: Usage) -> dict[str, Any] | None:
    """Return a bill as OpenAI's `usage`, with OpenRouter's `cost` in US dollars; `None` where no tokens are known."""
    # OpenAI's fields are integers, and 0 would be believed.
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    cached = sum(call.cached_tokens or 0 for call in usage.calls)
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": cached},
        "cost": usage.cost_usd,
        "unpriced_calls": usage.unpriced_calls,
    }


def annotation_objects(citations: Sequence[CitationSpan]) -> list[dict[str, Any]]:
    """Return citations as a message's `annotations`; offsets are in characters of its text."""
    return [
        {
            "type": "url_citation",
            "url_citation": {"start_index": row.start, "end_index": row.end, "url": row.url, "title": row.title},
        }
        for row in citations
    ]


def result_metadata(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result, as a dict, without its question and answer, which the client has."""
    return {name: value for name, value in result.items() if name not in ("answer", "question")}


@dataclass(frozen=True)
class ResponseInfo:
    """The response's id, its Unix time, and the model that the client named."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def to_object(self, kind: str, choices: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
        """Return an object of `kind` with these choices."""
        own = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return {**own, "choices": list(choices), **more}


class JsonResponder:
    """A responder that collects an answer, then sends it whole.

    Args:
        send: ASGI's function.
        info: The response's id, time and model.
    """

    def __init__(self, send: Send, info: ResponseInfo) -> None:
        self._send, self._info = send, info
        self._text: list[str] = []

    async def feed(self, piece: TextPiece | ProgressPiece) -> None:
        """Collect a piece of the answer; progress has no place in a whole response."""
        if isinstance(piece, TextPiece):
            self._text.append(piece.text)

    async def end(self, end: EndPiece) -> None:
        """Send the answer."""
        text = "".join(self._text)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": text,
            "refusal": None,
            "annotations": annotation_objects(end.citations),
            **end.reasoning,
        }
        if end.tool_calls:
            # Null where there is no text, as OpenAI sends it beside calls.
            message |= {"content": text or None, "tool_calls": list(end.tool_calls)}
        choice = {"index": 0, "message": message, "finish_reason": end.finish_reason, "logprobs": None}
        body = self._info.to_object("chat.completion", [choice], usage=usage_object(end.usage), fusion=dict(end.fusion))
        await send_json(self._send, body)

    async def fail(self, error: ApiError) -> None:
        """Send the error instead."""
        await send_json(self._send, error.body, error.status, error.headers)

    def close(self) -> None:
        """Do nothing: a response that is sent whole leaves nothing open."""


async def send_json(send: Send, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Send a whole response.

    Args:
        send: ASGI's function.
        body: What the response holds, as a value of JSON.
        status: The HTTP status.
        headers: Further headers.
    """
    raw = json.dumps(body).encode()
    values = {"content-type": "application/json", "content-length": str(len(raw)), **(headers or {})}
    # ASGI wants header names in lower case, and HTTP's bytes are Latin-1.
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in values.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": raw})
