"""An answer as it is written: its text passed on, its first token noted, one whole message in the end.

Leaked reasoning is stripped, in one piece or in a stream of deltas. How long each model was silent before it began is
remembered over its latest calls.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import quantiles
from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import default_tool_parser
from langchain_core.runnables import Runnable, RunnableConfig

from fusion_tool.config.schema import Panelist
from fusion_tool.models import replay
from fusion_tool.models.faults import Again
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter
from fusion_tool.models.wire.tool_calls import argument_text

_WINDOW = 50
_ENOUGH = 10
"""Observations before which a tail cannot be told."""

_seen: dict[tuple[str | None, str], deque[float]] = {}


def record_first_token(panelist: Panelist, seconds: float) -> None:
    """Note that a call of the panelist's model was silent for `seconds` before its first token."""
    _seen.setdefault(_key(panelist), deque(maxlen=_WINDOW)).append(seconds)


def first_token_p90(panelist: Panelist) -> float | None:
    """The seconds within which nine of ten recent calls had begun; `None` while fewer than ten are known."""
    seen = _seen.get(_key(panelist), ())
    return quantiles(seen, n=10)[-1] if len(seen) >= _ENOUGH else None


def record_silence(panelist: Panelist, seconds: float) -> None:
    """Note that a call was cancelled after `seconds` of silence.

    The silence would have lasted longer, which says something only where it was long already: then it counts, as a
    lower bound. Left out, the slowest calls would vanish, and the tail with them, the more the earlier they are cut.
    """
    known = first_token_p90(panelist)
    if known is not None and seconds >= known:
        record_first_token(panelist, seconds)


class FirstToken:
    """One call's wait for its first token.

    Args:
        panelist: Whose model is called.
        on_first: Told when it comes.

    Attributes:
        seconds: From the attempt's start until it came; `None` where none came, or the call does not stream.
    """

    def __init__(self, panelist: Panelist, on_first: Callable[[], None] | None = None) -> None:
        self._panelist, self._on_first = panelist, on_first
        self._since = 0.0
        self.seconds: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Make one attempt inside."""
        self._since = time.monotonic()
        try:
            yield
        except asyncio.CancelledError:
            if self.seconds is None:
                record_silence(self._panelist, time.monotonic() - self._since)
            raise

    def arrived(self) -> None:
        """Note a token; only the first one counts."""
        if self.seconds is None:
            self.seconds = time.monotonic() - self._since
            record_first_token(self._panelist, self.seconds)
            if self._on_first:
                self._on_first()


def _key(panelist: Panelist) -> tuple[str | None, str]:
    return endpoint_for(panelist), panelist.model_name


NO_STREAM = RunnableConfig(tags=["nostream"])
"""Keeps the inner models' tokens out of an outer agent's message stream."""


class StreamBrokenError(Exception):
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
                raise StreamBrokenError(error) from error
            if self._options or "stream_options" not in str(error):
                raise
            self._options = {"stream_usage": False}
            raise Again(error) from error

    async def _read(self, model: Runnable[Any, AIMessage]) -> AIMessage:
        # What is shown at once cannot wait for a closing mark that may never come.
        answer, chunks = ReasoningFilter(begins_inside=False), []
        with self._first.measure():
            async for message in model.astream(self._messages, NO_STREAM, **self._options):
                chunk = _as_chunk(message)
                chunks.append(chunk)
                if _has_token(chunk):
                    self._first.arrived()
                if self._on_delta and (text := answer.feed(str(chunk.text))):
                    self._on_delta(text)
        if self._on_delta and (text := answer.close()):
            self._on_delta(text)
        return _join_chunks(chunks)


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    return message if isinstance(message, AIMessageChunk) else AIMessageChunk(**message.model_dump(exclude={"type"}))


def _has_token(chunk: AIMessageChunk) -> bool:
    """Whether anything is said in it, and not the bare role."""
    extras = chunk.additional_kwargs.keys() - {replay.REPLAY}
    return bool(chunk.content or chunk.tool_call_chunks or extras or replay.has_token(chunk))


def _join_chunks(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    """The chunks' message; tool calls that were cut off are invalid, not completed by guesswork as chunks are."""
    if not chunks:
        return AIMessage("")
    joined = add_ai_message_chunks(*chunks)
    calls, invalid = default_tool_parser(
        [
            {"id": part["id"], "function": {"name": part["name"], "arguments": argument_text(part["args"])}}
            for part in joined.tool_call_chunks
        ]
    )
    message = cast("AIMessage", message_chunk_to_message(joined))
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})
