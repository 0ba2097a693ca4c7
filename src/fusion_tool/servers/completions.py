"""An answer in one piece: OpenAI's `chat.completion`.

Protocol: https://platform.openai.com/docs/api-reference/chat/object; `fusion` and `usage.cost` are additions.
"""

import json
from typing import Any

from starlette.types import Send

from fusion_tool.servers.pieces import End, Progress, Text, usage_of
from fusion_tool.servers.refusals import ApiError
from fusion_tool.servers.stamp import Stamp


class Whole:
    """Collects an answer, then sends it.

    Args:
        send: ASGI's.
        stamp: What every part of the response says about itself.
    """

    def __init__(self, send: Send, stamp: Stamp) -> None:
        self._send, self._stamp = send, stamp
        self._text: list[str] = []

    async def feed(self, piece: Text | Progress) -> None:
        """Keep a piece of the answer."""
        if isinstance(piece, Text):
            self._text.append(piece.text)

    async def end(self, end: End) -> None:
        """Send the answer."""
        text = "".join(self._text)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if end.tool_calls:
            message |= {"content": text or None, "tool_calls": list(end.tool_calls)}
        choice = {"index": 0, "message": message, "finish_reason": end.finish_reason, "logprobs": None}
        body = self._stamp.on("chat.completion", [choice], usage=usage_of(end.usage), fusion=dict(end.fusion))
        await send_json(self._send, body)

    async def fail(self, error: ApiError) -> None:
        """Send the error instead."""
        await send_json(self._send, error.body, error.status, error.headers)

    def close(self) -> None:
        """Nothing is left open."""


async def send_json(send: Send, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    """Send a whole response."""
    raw = json.dumps(body).encode()
    named = {"content-type": "application/json", "content-length": str(len(raw)), **(headers or {})}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in named.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": raw})
