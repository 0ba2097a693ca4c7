"""A streamed answer: its text is passed on, its first token timed, and in the end there is one whole message.

- `MessageStream`: one call that streams, over all its attempts; `whole_reply`: one attempt that does not.
- `piece_listener`: who is told a stream's pieces by this package's own chat model; others are read chunk by chunk.
- `ReasoningFilter`, `strip_reasoning`: leaked reasoning is held back, in a stream of deltas or in a whole text.
- `FirstToken`, `first_token_p90`: the wait for the first token, remembered over each model's latest calls.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from statistics import quantiles
from typing import Any, TypeAlias, cast

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import default_tool_parser
from langchain_core.runnables import Runnable, RunnableConfig

from fusion_tool.config.schema import Panelist
from fusion_tool.models import replay
from fusion_tool.models.faults import AskOtherwiseError
from fusion_tool.models.prompt import innermost
from fusion_tool.models.providers import endpoint_for
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter
from fusion_tool.models.wire.tool_calls import argument_text

_MAX_OBSERVATIONS = 50
"""Latest calls of each model that are remembered."""
_MIN_OBSERVATIONS = 10
"""With fewer, nothing can be said about the slowest tenth."""

_observations: dict[tuple[str | None, str], deque[float]] = {}


def record_first_token(panelist: Panelist, seconds: float) -> None:
    """Record that a call of the panelist's model was silent for `seconds` before its first token."""
    _observations.setdefault(_key(panelist), deque(maxlen=_MAX_OBSERVATIONS)).append(seconds)


def first_token_p90(panelist: Panelist) -> float | None:
    """Return the seconds within which nine of ten recent calls began; `None` while fewer than ten are known."""
    seconds = _observations.get(_key(panelist), ())
    return quantiles(seconds, n=10)[-1] if len(seconds) >= _MIN_OBSERVATIONS else None


def record_silence(panelist: Panelist, seconds: float) -> None:
    """Record that a call was cancelled after `seconds` of silence."""
    # It would have been silent for longer: a lower bound, which says something only where it is long already. Without
    # it the slowest calls would vanish, and the more of them the earlier they are cancelled.
    p90 = first_token_p90(panelist)
    if p90 is not None and seconds >= p90:
        record_first_token(panelist, seconds)


class FirstToken:
    """One call's wait for its first token.

    Args:
        panelist: The panelist whose model is called.
        on_first: Called when the token comes; `None` for nobody.

    Attributes:
        seconds: Seconds from the attempt's start until it came; `None` where none came, or the call does not stream.
    """

    def __init__(self, panelist: Panelist, on_first: Callable[[], None] | None = None) -> None:
        self._panelist, self._on_first = panelist, on_first
        self._since = 0.0
        self.seconds: float | None = None

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure one attempt, which is made inside the context."""
        self._since = time.monotonic()
        try:
            yield
        except asyncio.CancelledError:
            if self.seconds is None:
                record_silence(self._panelist, time.monotonic() - self._since)
            raise

    def arrived(self) -> None:
        """Record a token; only the first one counts."""
        if self.seconds is None:
            self.seconds = time.monotonic() - self._since
            record_first_token(self._panelist, self.seconds)
            if self._on_first:
                self._on_first()


def _key(panelist: Panelist) -> tuple[str | None, str]:
    return endpoint_for(panelist), panelist.model_name


_NO_STREAM = RunnableConfig(tags=["nostream"])
"""Keeps the inner models' tokens out of an outer agent's message stream."""


def whole_reply(model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage]) -> Awaitable[AIMessage]:
    """Return the answer of `model` to `messages` without streaming it."""
    return model.ainvoke(messages, _NO_STREAM)


class StreamBrokenError(Exception):
    """A stream that broke off after its first token: it is paid for and may have been shown, so it is not repeated."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class MessageStream:
    """One call that streams, over all its attempts.

    Args:
        first: Times the first token, be it of the answer, its reasoning, or a tool call.
        on_delta: Receives the answer's text in pieces; `None` for nobody.
        make_filter: Makes the filter of an attempt's text.
    """

    def __init__(
        self,
        first: FirstToken,
        on_delta: Callable[[str], None] | None = None,
        make_filter: Callable[[], ReasoningFilter] = ReasoningFilter,
    ) -> None:
        self._first, self._on_delta = first, on_delta
        self._make_filter = make_filter
        self._options: dict[str, Any] = {}

    async def attempt(self, model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage]) -> AIMessage:
        """Return the answer of `model` to `messages`; one that cannot stream gives the whole of it as the first token.

        Raises:
            StreamBrokenError: The stream failed after the first token.
            AskOtherwiseError: The server refused to count tokens while it streams; the next attempt does without.
            Exception: The provider's own, before the first token.
        """
        try:
            return await self._read(model, messages)
        except Exception as error:
            # Only before the first token is another attempt the same call; after it, a second answer would be paid.
            if self._first.seconds is not None:
                raise StreamBrokenError(error) from error
            if self._options or "stream_options" not in str(error):
                raise
            self._options = {"stream_usage": False}
            raise AskOtherwiseError(error) from error

    async def _read(self, model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage]) -> AIMessage:
        answer = self._make_filter()

        def take(piece: str) -> None:
            self._first.arrived()
            if self._on_delta and (text := answer.feed(piece)):
                self._on_delta(text)

        read = _by_listening if getattr(innermost(model), "tells_pieces", False) else _by_chunks
        with self._first.measure():
            message = await read(model, messages, take, self._options)
            if self._first.seconds is None and (message.text or message.tool_calls):
                take(str(message.text))
        if self._on_delta and (text := answer.close()):
            self._on_delta(text)
        return message


Take: TypeAlias = Callable[[str], None]
"""Takes a piece of an answer; an empty one is a token of something else, such as its reasoning."""
piece_listener: ContextVar[Take | None] = ContextVar("fusion_piece_listener", default=None)
"""Who is told the pieces of the answers that are asked for in this context; only a model of this package tells them."""


async def _by_listening(
    model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage], take: Take, options: Mapping[str, Any]
) -> AIMessage:
    token = piece_listener.set(take)
    try:
        return await model.ainvoke(messages, _NO_STREAM, **options)
    finally:
        piece_listener.reset(token)


async def _by_chunks(
    model: Runnable[Any, AIMessage], messages: Sequence[BaseMessage], take: Take, options: Mapping[str, Any]
) -> AIMessage:
    chunks = []
    async for message in model.astream(messages, _NO_STREAM, **options):
        chunks.append(chunk := _as_chunk(message))
        if _has_token(chunk):
            take(str(chunk.text))
    return _join_chunks(chunks)


def _as_chunk(message: AIMessage) -> AIMessageChunk:
    return message if isinstance(message, AIMessageChunk) else AIMessageChunk(**message.model_dump(exclude={"type"}))


def _has_token(chunk: AIMessageChunk) -> bool:
    """Tell whether the chunk holds a token, and not only the role with which streams begin."""
    extras = chunk.additional_kwargs.keys() - {replay.REPLAY}
    return bool(chunk.content or chunk.tool_call_chunks or extras or replay.has_token(chunk))


def _join_chunks(chunks: Sequence[AIMessageChunk]) -> AIMessage:
    """Join the chunks to one message."""
    if not chunks:
        return AIMessage("")
    # Chunks complete half a tool call by guesswork; a call that was cut off must be invalid, not made with a guess.
    joined = add_ai_message_chunks(*chunks)
    calls, invalid = default_tool_parser(
        [
            {"id": part["id"], "function": {"name": part["name"], "arguments": argument_text(part["args"])}}
            for part in joined.tool_call_chunks
        ]
    )
    message = cast("AIMessage", message_chunk_to_message(joined))
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})
