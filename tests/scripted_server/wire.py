"""Replies as bytes: OpenAI's chat completions, with the fields that OpenRouter adds.

Source: https://platform.openai.com/docs/api-reference/chat and
https://openrouter.ai/docs/api/reference/overview.
"""

import json
from collections.abc import Iterator, Mapping
from time import time
from typing import Any

from tests.scripted_server.reply import Interrupted, Reply, ToolCall
from tests.scripted_server.request import Request

COMMENT = b": OPENROUTER PROCESSING\n\n"
DONE = b"data: [DONE]\n\n"

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def completion(reply: Reply, request: Request, generation: str) -> bytes:
    """The body of an answer that does not stream."""
    choice = {"index": 0, "message": message(reply, generation), "logprobs": None} | _finish(_reason(reply))
    body = _envelope(reply, request, generation, "chat.completion") | {"choices": [choice] * reply.choices}
    if reply.usage is not None:
        body["usage"] = _usage(reply)
    return _encode(body).encode()


def message(reply: Reply, generation: str) -> dict[str, Any]:
    """The assistant's message."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": reply.refusal}
    if not reply.text and not reply.tool_calls and reply.refusal is None:
        message["content"] = ""
    message |= _extras(reply)
    if reply.tool_calls:
        message["tool_calls"] = [
            _whole(call, f"{generation}-{index}", index) for index, call in enumerate(reply.tool_calls)
        ]
    return message


def failure(fault: Interrupted) -> bytes:
    """The body under HTTP 200 of a call whose provider failed while it answered."""
    return _encode({"error": {"code": fault.code, "message": fault.message}}).encode()


def events(reply: Reply, request: Request, generation: str) -> Iterator[bytes]:
    """The server-sent events of a streamed answer, up to and with `[DONE]`."""
    envelope = _envelope(reply, request, generation, "chat.completion.chunk")
    head = _head(envelope)
    if reply.choices:
        for delta in _deltas(reply, generation):
            yield _event(head, [{"index": 0, "delta": delta, "finish_reason": None}])
        yield _event(head, [{"index": 0, "delta": {}} | _finish(_reason(reply))])
    if reply.usage is not None and _wants_usage(request):
        yield _event(_head(envelope | {"usage": _usage(reply)}), [])
    yield DONE


def error_event(fault: Interrupted, request: Request, generation: str) -> bytes:
    """The event with which OpenRouter ends a stream whose provider failed."""
    envelope = _envelope(fault.reply, request, generation, "chat.completion.chunk")
    envelope["error"] = {"code": fault.code, "message": fault.message}
    return _event(_head(envelope), [{"index": 0, "delta": {"content": ""}} | _finish("error")])


def _deltas(reply: Reply, generation: str) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in _pieces(reply.reasoning or "", reply.chunk_size):
        yield {reply.reasoning_field: piece}
    for detail in reply.reasoning_details:
        yield from ({"reasoning_details": [piece]} for piece in _detail_pieces(detail, reply.chunk_size))
    for piece in _pieces(reply.text, reply.chunk_size):
        yield {"content": piece}
    for piece in _pieces(reply.refusal or "", reply.chunk_size):
        yield {"refusal": piece}
    for index, call in enumerate(reply.tool_calls):
        whole = _whole(call, f"{generation}-{index}", index)
        arguments = whole["function"]["arguments"]
        head = whole | {"function": {"name": call.name, "arguments": ""}}
        yield {"tool_calls": [head]}
        for piece in _pieces(arguments, reply.chunk_size):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if reply.annotations:
        yield {"content": "", "annotations": list(reply.annotations)}


def _detail_pieces(detail: Mapping[str, Any], size: int) -> Iterator[Mapping[str, Any]]:
    """A detail's text comes in pieces, each with the detail's other fields."""
    if "text" not in detail:
        yield detail
    for piece in _pieces(detail.get("text", ""), size):
        yield {**detail, "text": piece}


def _pieces(text: str, size: int) -> Iterator[str]:
    return (text[start : start + size] for start in range(0, len(text), size))


def _whole(call: ToolCall, default_id: str, index: int) -> dict[str, Any]:
    arguments = call.arguments if isinstance(call.arguments, str) else _encode(call.arguments)
    function = {"name": call.name, "arguments": arguments}
    whole = {"index": index, "id": call.id or f"call_{default_id}", "type": "function", "function": function}
    return whole if call.extra_content is None else whole | {"extra_content": call.extra_content}


def _envelope(reply: Reply, request: Request, generation: str, kind: str) -> dict[str, Any]:
    envelope = {"id": generation, "object": kind, "created": int(time()), "model": reply.model or request.model}
    more = {"provider": reply.provider, "timings": reply.timings}
    return envelope | {name: value for name, value in more.items() if value is not None}


def _extras(reply: Reply) -> dict[str, Any]:
    extras: dict[str, Any] = {} if reply.reasoning is None else {reply.reasoning_field: reply.reasoning}
    if reply.reasoning_details:
        extras["reasoning_details"] = list(reply.reasoning_details)
    return extras | ({"annotations": list(reply.annotations)} if reply.annotations else {})


def _reason(reply: Reply) -> str:
    return reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop")


def _finish(reason: str) -> dict[str, str]:
    return {"finish_reason": reason, "native_finish_reason": reason}


def _usage(reply: Reply) -> dict[str, Any]:
    usage = reply.usage
    assert usage is not None
    body: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }
    return body if reply.cost is None else body | {"cost": reply.cost}


def _wants_usage(request: Request) -> bool:
    asked = (request.body.get("stream_options") or {}).get("include_usage")
    return bool(asked or (request.body.get("usage") or {}).get("include"))


def _head(envelope: Mapping[str, Any]) -> str:
    """The part that a stream's events share, encoded once: long answers are hundreds of events."""
    return f'data: {_encode(envelope)[:-1]},"choices":'


def _event(head: str, choices: list[dict[str, Any]]) -> bytes:
    return f"{head}{_encode(choices)}}}\n\n".encode()
