"""An answer as it is written: its text passed on, its first token noted, and one whole message in the end."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import default_tool_parser
from langchain_core.runnables import Runnable, RunnableConfig

from fusion_tool.models import replay
from fusion_tool.models.latency import FirstToken
from fusion_tool.models.retry import Again
from fusion_tool.models.text import AnswerStream

QUIET = RunnableConfig(tags=["nostream"])
"""Keeps the inner models' tokens out of an outer agent's message stream."""


class Broken(Exception):  # noqa: N818 - it carries the provider's own error
    """A stream broke off after its first token: that is paid for and may have been shown, so none starts it over."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Streaming:
    """One call that streams, over all its attempts.

    Args:
        messages: The prompt.
        first: Told of every token, be it of the answer, its reasoning, or a tool call.
        on_delta: Receives the answer's text.
    """

    def __init__(
        self, messages: Sequence[BaseMessage], first: FirstToken, on_delta: Callable[[str], None] | None = None
    ) -> None:
        self._messages, self._first, self._on_delta = messages, first, on_delta
        self._options: dict[str, Any] = {}

    async def attempt(self, model: Runnable[Any, AIMessage]) -> AIMessage:
        """What `model` answers; one that cannot stream gives its whole answer as the first token.

        Raises:
            Broken: After the first token.
            Again: The server refused to count tokens while it streams; the next attempt does without.
            Exception: Otherwise before the first token, the provider's own.
        """
        try:
            return await self._read(model)
        except Exception as error:
            if self._first.seconds is not None:
                raise Broken(error) from error
            if self._options or "stream_options" not in str(error):
                raise
            self._options = {"stream_usage": False}
            raise Again(error) from error

    async def _read(self, model: Runnable[Any, AIMessage]) -> AIMessage:
        answer, chunks = AnswerStream(), []
        with self._first.awaited():
            async for message in model.astream(self._messages, QUIET, **self._options):
                chunk = _as_chunk(message)
                chunks.append(chunk)
                if _has_token(chunk):
                    self._first.came()
                if self._on_delta and (text := answer.feed(str(chunk.text))):
                    self._on_delta(text)
        if self._on_delta and (text := answer.close()):
            self._on_delta(text)
        return _whole(chunks)


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    return message if isinstance(message, AIMessageChunk) else AIMessageChunk(**message.model_dump(exclude={"type"}))


def _has_token(chunk: AIMessageChunk) -> bool:
    """Whether anything is said in it, and not the bare role."""
    extras = chunk.additional_kwargs.keys() - {replay.REPLAY}
    return bool(chunk.content or chunk.tool_call_chunks or extras or replay.has_token(chunk))


def _whole(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    """The chunks' message; tool calls that were cut off are invalid, not completed by guesswork as chunks are."""
    if not chunks:
        return AIMessage("")
    joined = add_ai_message_chunks(*chunks)
    calls, invalid = default_tool_parser(
        [
            {"id": part["id"], "function": {"name": part["name"], "arguments": part["args"] or "{}"}}
            for part in joined.tool_call_chunks
        ]
    )
    message = cast("AIMessage", message_chunk_to_message(joined))
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})
