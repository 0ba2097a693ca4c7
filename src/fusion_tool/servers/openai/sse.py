"""The stream of an answer while it is written: OpenAI's `chat.completion.chunk`s as server-sent events.

Protocol: https://platform.openai.com/docs/api-reference/chat-streaming; comments as in
https://html.spec.whatwg.org/multipage/server-sent-events.html. Progress is sent in comments, which clients skip and
which keep the connection alive, or as reasoning.
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from starlette.types import Send

from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.request import ChatRequest
from fusion_tool.servers.openai.response import (
    EndPiece,
    JsonResponder,
    ProgressPiece,
    Responder,
    ResponseInfo,
    TextPiece,
    annotation_objects,
    send_json,
    usage_object,
)

ProgressStyle: TypeAlias = Literal["comments", "reasoning", "off"]

SILENCE = 15.0
"""Seconds without a byte after which a comment is sent: proxies close silent connections."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),  # nginx would hold the events back
]
_DONE = b"data: [DONE]\n\n"


class EventStream(ABC):
    """A response of server-sent events.

    It begins with the first event, or after the first silence, so that a run that is refused before it begins still
    gets its status.

    Args:
        send: ASGI's function.
    """

    def __init__(self, send: Send) -> None:
        self._send, self._has_begun = send, False
        self._last_sent = asyncio.get_running_loop().time()
        self._pulse = asyncio.create_task(self._keep_alive())

    @abstractmethod
    def opening(self) -> bytes:
        """Return the events with which the stream begins."""

    @abstractmethod
    def failure(self, error: ApiError) -> bytes:
        """Return the events with which a stream that has begun ends where there is no answer."""

    async def fail(self, error: ApiError) -> None:
        """Send the error: as the response where none has begun, else as the stream's end."""
        # HTTP sends the status first: once a stream has begun it is 200, whatever comes.
        if not self._has_begun:
            self._pulse.cancel()
            await send_json(self._send, error.body, error.status, error.headers)
        else:
            await self.finish(self.failure(error))

    async def begin(self) -> None:
        """Send the headers and the opening, once."""
        if not self._has_begun:
            self._has_begun = True  # before the first `await`: the pulse may begin it at the same moment
            await self._send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await self.write(self.opening())

    async def write(self, data: bytes) -> None:
        """Send events, or comments, of a stream that has begun."""
        self._last_sent = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, last: bytes) -> None:
        """Send the last events, and end the response."""
        self._pulse.cancel()
        await self._send({"type": "http.response.body", "body": last})

    async def _keep_alive(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(max(0.0, self._last_sent + SILENCE - now()))
            # Not where something was sent in the meantime: the silence counts from that on.
            if now() - self._last_sent >= SILENCE:
                await self.begin()
                await self.write(comment("still working"))

    def close(self) -> None:
        """Stop keeping the connection alive."""
        self._pulse.cancel()


class SseResponder(EventStream):
    """A responder that sends a chat completion piece by piece.

    Args:
        send: ASGI's function.
        info: The response's id, time and model.
        progress: How progress is shown.
        include_usage: Whether the client asked for the bill, in a last chunk without choices.
    """

    def __init__(self, send: Send, info: ResponseInfo, progress: ProgressStyle, *, include_usage: bool) -> None:
        super().__init__(send)
        self._info, self._progress, self._include_usage = info, progress, include_usage

    def opening(self) -> bytes:
        """Return the chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": ""})

    def failure(self, error: ApiError) -> bytes:
        """Return the error's object as the last event."""
        return event(error.body) + _DONE

    async def feed(self, piece: TextPiece | ProgressPiece) -> None:
        """Send a piece."""
        await self.begin()
        if isinstance(piece, TextPiece):
            await self.write(self._chunk({"content": piece.text}))
        elif self._progress == "comments":
            await self.write(comment(piece.line))
        elif self._progress == "reasoning":
            # Under both names: OpenRouter's clients read the first, those of DeepSeek's protocol the second.
            line = f"{piece.line}\n"
            await self.write(self._chunk({"reasoning": line, "reasoning_content": line}))

    async def end(self, end: EndPiece) -> None:
        """Send the tool calls, the citations and the result beside the answer, and end the stream."""
        await self.begin()
        calls = [{"index": index, **call} for index, call in enumerate(end.tool_calls)]
        delta = {**end.reasoning} | ({"tool_calls": calls} if calls else {})
        if end.citations:
            delta["annotations"] = annotation_objects(end.citations)
        last = self._chunk(delta) if delta else b""
        last += self._chunk({}, finish_reason=end.finish_reason, fusion=dict(end.fusion))
        if self._include_usage:
            last += event(self._info.to_object("chat.completion.chunk", [], usage=usage_object(end.usage)))
        await self.finish(last + _DONE)

    def _chunk(self, delta: Mapping[str, Any], *, finish_reason: str | None = None, **more: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return event(self._info.to_object("chat.completion.chunk", [choice], **more))


def chat_responder(send: Send, request: ChatRequest, progress: ProgressStyle) -> Responder:
    """Return what writes a chat completion, whole or as a stream, as the client asked."""
    info = ResponseInfo(request.model)
    if not request.stream:
        return JsonResponder(send, info)
    return SseResponder(send, info, progress, include_usage=request.include_usage)


def event(body: Mapping[str, Any], name: str | None = None) -> bytes:
    """Return a server-sent event.

    Args:
        body: Its data, as an object of JSON.
        name: Its name; `None` for the protocol's default.
    """
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + json.dumps(body).encode() + b"\n\n"


def comment(line: str) -> bytes:
    """Return a comment, which clients skip."""
    # A line break would end the comment, and let what follows pose as an event: no line of progress holds one.
    return f": {line}\n\n".encode()
