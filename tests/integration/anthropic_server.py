"""A scripted Anthropic that insists on its thinking blocks in a tool loop, signed, unchanged and before the calls.

Source: https://docs.claude.com/en/api/messages, messages-streaming and build-with-claude/extended-thinking,
build-with-claude/prompt-caching.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.scripted_server.loopback import Loopback

_CLOSE = {"connection": "close"}
"""The package's own client outlives a test's loop, and a connection that it held would be open then."""
THINKING = ("thinking", "redacted_thinking")


def thinks(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": f"signed {text}"}


def seals(data: str) -> dict[str, Any]:
    return {"type": "redacted_thinking", "data": data}


def uses(name: str, call_id: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": call_id, "name": name, "input": arguments}


def says(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


class ScriptedAnthropic:
    """Answers each request for a model with the next list of blocks; an int is an error's status, None silence."""

    def __init__(self, script: dict[str, Sequence[Any]]) -> None:
        self._script = {model: list(replies) for model, replies in script.items()}
        self._given: dict[tuple[str, str], list[Any]] = {}
        self._cached: set[str] = set()
        self.requests: list[dict[str, Any]] = []

    async def answer(self, request: Request) -> Response:
        body = await request.json()
        self.requests.append(body)
        if problem := self._objection(body):
            return _error(400, problem)
        blocks = self._script[body["model"]].pop(0)
        if blocks is None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            return Response()
        if isinstance(blocks, int):
            return _error(blocks, "scripted")
        for block in blocks:
            if block["type"] == "tool_use":
                self._given[body["model"], block["id"]] = [one for one in blocks if one["type"] in THINKING]
        reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body["model"], "stop_sequence": None}
        usage = {"input_tokens": 50, "output_tokens": 20} | self._cache_counts(body)
        if body.get("stream"):
            events = "".join(_events(head, blocks, reason, usage))
            return Response(events, headers=_CLOSE, media_type="text/event-stream")
        return JSONResponse(head | {"content": blocks, "stop_reason": reason, "usage": usage}, headers=_CLOSE)

    def _cache_counts(self, body: dict[str, Any]) -> dict[str, int]:
        """Read or write what stands up to the last mark, tools and system first; four characters are a token."""
        prefix, marked = json.dumps([body.get("tools"), body.get("system")]), ""
        for message in body["messages"]:
            for block in message["content"] if isinstance(message["content"], list) else [message["content"]]:
                prefix += json.dumps(block)
                marked = prefix if "cache_control" in block else marked
        served, count = marked in self._cached, len(marked) // 4
        self._cached.add(marked)
        return {
            "cache_read_input_tokens": count if served else 0,
            "cache_creation_input_tokens": 0 if served else count,
        }

    def _objection(self, body: dict[str, Any]) -> str | None:
        for message in body["messages"]:
            blocks = message["content"] if isinstance(message["content"], list) else []
            thought = [block for block in blocks if block["type"] in THINKING]
            calls = [(body["model"], block["id"]) for block in blocks if block["type"] == "tool_use"]
            wanted = [self._given.get(call, []) for call in calls]
            if any(given != thought for given in wanted) or (thought and blocks[0]["type"] not in THINKING):
                return f"thinking blocks cannot be modified: {thought} is not {wanted}"
        return None


@contextmanager
def anthropic(monkeypatch: Any, **script: Sequence[Any]) -> Iterator[ScriptedAnthropic]:
    """The server, as far as the package can tell Anthropic's own; the script by model, underlines for hyphens."""
    server = ScriptedAnthropic({model.replace("_", "-"): replies for model, replies in script.items()})
    loopback = Loopback(Starlette(routes=[Route("/v1/messages", server.answer, methods=["POST"])])).start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", loopback.root)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-0123456789abcdef")
    try:
        yield server
    finally:
        loopback.stop()


def _error(status: int, message: str) -> Response:
    return JSONResponse(
        {"type": "error", "error": {"type": "invalid_request_error", "message": message}}, status, _CLOSE
    )


def _events(head: dict[str, Any], blocks: Sequence[Any], reason: str, usage: dict[str, int]) -> Iterator[str]:
    yield _event("message_start", message=head | {"content": [], "stop_reason": None, "usage": usage})
    for index, block in enumerate(blocks):
        empty, deltas = _pieces(block)
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage=usage)
    yield _event("message_stop")


def _pieces(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    match block["type"]:
        case "thinking":
            halves = block["thinking"][:4], block["thinking"][4:]
            deltas = [{"type": "thinking_delta", "thinking": half} for half in halves]
            signature = {"type": "signature_delta", "signature": block["signature"]}
            return block | {"thinking": "", "signature": ""}, [*deltas, signature]
        case "text":
            return block | {"text": ""}, [{"type": "text_delta", "text": block["text"]}]
        case "tool_use":
            return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    return block, []


def _event(kind: str, **fields: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n"
