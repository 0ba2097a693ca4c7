"""A streamed reply put together: what its chunks say, as the body that would have come in one piece.

Protocol: OpenAI's chat completion chunks; the fields of reasoning as in `replay`.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from fusion_tool.models.replay import REASONING, join_pieces
from fusion_tool.models.wire import usage
from fusion_tool.models.wire.tool_call_stream import ToolCallAssembler

_TOKENS = ("content", "tool_calls", "refusal", "annotations", *REASONING)
"""The fields of a delta that hold a part of the reply; a stream begins with deltas that say only who speaks."""
_WHOLE = ("role", "id", "name")
"""Texts that come whole, or again with each delta."""


class StreamedReply:
    """One streamed message.

    Args:
        offered: The names of the tools that the request offered.
        used: The ids that the conversation has already.
    """

    def __init__(self, offered: Collection[str] = (), used: Iterable[str] = ()) -> None:
        self._assembler = ToolCallAssembler(offered, used)
        self._fields: dict[str, Any] = {}
        self._figures: dict[str, Any] = {}
        self._content: list[Any] = []
        self._pieces: dict[str, list[Any]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish_reason: str | None = None

    def feed(self, chunk: Mapping[str, Any]) -> str | None:
        """Take a chunk, as `EventDecoder` gives it.

        Returns:
            The text in it, empty where it holds reasoning or a part of a tool call alone; `None` where it holds none
            of the reply.
        """
        self._fields |= {name: value for name, value in chunk.items() if value is not None}
        # Some providers count up in each chunk: their figures are no parts of a sum.
        if usage.has_usage(chunk):
            self._figures = usage.merge_figures(self._figures, usage.read_usage(chunk))
        text, has_token = "", False
        for choice in chunk.get("choices") or ():
            self._finish_reason = choice.get("finish_reason") or self._finish_reason
            delta = self._assembler.feed(choice.get("delta") or {})
            has_token |= any(delta.get(name) for name in _TOKENS)
            text += self._take(delta)
        return text if has_token else None

    def body(self) -> dict[str, Any]:
        """Return the whole reply; to be called once there is nothing more to feed."""
        self._add_calls(self._assembler.close())
        message = {name: join_pieces(name, pieces) for name, pieces in self._pieces.items()}
        message |= {"role": "assistant", "content": _join_content(self._content)}
        if self._calls:
            message["tool_calls"] = list(self._calls.values())
        choice = {"index": 0, "message": message, "finish_reason": self._finish_reason}
        figures = usage.complete_usage(self._figures) or self._figures
        counted = {"usage": figures} if figures else {}
        return {**self._fields, **counted, "object": "chat.completion", "choices": [choice]}

    def _take(self, delta: Mapping[str, Any]) -> str:
        self._add_calls(delta.get("tool_calls", ()))
        for name, value in delta.items():
            if name in ("content", "tool_calls") or value is None:
                continue
            if name in _WHOLE:
                self._pieces[name] = [value]
            else:
                self._pieces.setdefault(name, []).append(value)
        content = delta.get("content") or ""
        parts = content if isinstance(content, list) else [content]
        self._content += parts
        return "".join(map(_text_of, parts))

    def _add_calls(self, pieces: Iterable[Mapping[str, Any]]) -> None:
        for piece in pieces:
            call = self._calls.setdefault(piece["index"], {"function": {"name": "", "arguments": ""}})
            for part in ("name", "arguments"):
                call["function"][part] += piece["function"][part] or ""
            for name, value in piece.items():
                if name != "function" and value is not None:
                    known = call.get(name)
                    call[name] = known | value if isinstance(known, dict) and isinstance(value, dict) else value


def join_chunks(chunks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the whole reply that `chunks` make up."""
    reply = StreamedReply()
    for chunk in chunks:
        reply.feed(chunk)
    return reply.body()


def _text_of(part: Any) -> str:
    return part if isinstance(part, str) else str(part.get("text") or "") if part.get("type") == "text" else ""


def _join_content(parts: list[Any]) -> Any:
    if all(isinstance(part, str) for part in parts):
        return "".join(parts)
    return [{"type": "text", "text": part} if isinstance(part, str) else part for part in parts if part]
