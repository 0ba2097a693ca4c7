"""What the server says, as values: a test reads as the answer that it scripts."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.scripted_server.request import Request


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call; `cached` are among `prompt`, `reasoning` among `completion`."""

    prompt: int = 100
    completion: int = 20
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model asks for; `arguments` given as a string are sent as they are, broken or not.

    `extra_content` is Google's field, where its OpenAI-compatible API has a thought's signature.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    id: str | None = None
    extra_content: Mapping[str, Any] | None = None


class Gate:
    """Holds replies back until the test opens it, so that no test sleeps to get an order of events."""

    def __init__(self) -> None:
        self.opened: Future[None] = Future()

    def open(self) -> None:
        """Let every waiting and later reply through; safe from any thread, any number of times."""
        if not self.opened.done():
            self.opened.set_result(None)


@dataclass(frozen=True, slots=True)
class Reply:
    """A successful answer.

    Args:
        text: The message's content; empty is the provider that says nothing at all.
        reasoning: OpenRouter's `reasoning` field of the message or delta.
        reasoning_field: What the field is called: `reasoning_content` at DeepSeek and Moonshot.
        reasoning_details: OpenRouter's field of that name.
        tool_calls: Calls that the model asks for.
        finish_reason: By default `tool_calls` where there are any, else `stop`.
        usage: Tokens, None for a provider that reports none.
        cost: US dollars as in OpenRouter's `usage.cost`, None where the provider does not say.
        provider: OpenRouter's top-level field, None for a plain OpenAI-compatible server.
        annotations: As made by `cited`.
        refusal: OpenAI's `refusal` field.
        model: The model that the answer names, by default the one asked for.
        chunk_size: Characters a streamed delta.
        delay: Seconds before the first byte.
        chunk_delay: Seconds between streamed events; 0 sends them in one write.
        comments: How many `: OPENROUTER PROCESSING` lines come before the first event.
        choices: 1, or 0 for the provider that answers without one.
        gate: Held back until the test opens it.
        timings: What llama.cpp's server measured of the request, None for any other server.
    """

    text: str = ""
    reasoning: str | None = None
    reasoning_field: str = "reasoning"
    reasoning_details: Sequence[Mapping[str, Any]] = ()
    tool_calls: Sequence[ToolCall] = ()
    finish_reason: str | None = None
    usage: Usage | None = Usage()
    cost: float | None = None
    provider: str | None = None
    annotations: Sequence[Mapping[str, Any]] = ()
    refusal: str | None = None
    model: str | None = None
    chunk_size: int = 20
    delay: float = 0.0
    chunk_delay: float = 0.0
    comments: int = 1
    choices: int = 1
    gate: Gate | None = None
    timings: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that are sent as they are: HTTP errors, HTML, garbage; `delay` and `gate` as in `Reply`."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence until the client leaves, after `after` events of `reply`.

    With `keepalive` a comment line (white space, where the call does not stream) comes every so many
    seconds, so that no read timeout ends the wait.
    """

    reply: Reply = Reply("never finished")
    after: int = 0
    keepalive: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection breaks after `after` events of `reply`; at 0 before any byte of a response.

    A call that does not stream loses the second half of its body instead.
    """

    reply: Reply = Reply("The first words of an answer whose end never arrives.")
    after: int = 2


@dataclass(frozen=True, slots=True)
class Interrupted:
    """An upstream error under HTTP 200, after `after` events of `reply`, in the shape OpenRouter gives it.

    Source: https://openrouter.ai/docs/api/reference/streaming, "Mid-stream errors".
    """

    reply: Reply = Reply("The first words of an answer that the provider gave up on.")
    after: int = 2
    code: int | str = 502
    message: str = "Provider returned error"


Answer: TypeAlias = Reply | Raw | Hang | Cut | Interrupted
Scripted: TypeAlias = Answer | str | Callable[[Request], "Answer | str"]
"""What a test may write wherever a reply is wanted."""


def cited(url: str, title: str, content: str = "") -> dict[str, Any]:
    """One `url_citation` annotation."""
    return {
        "type": "url_citation",
        "url_citation": {"url": url, "title": title, "content": content, "start_index": 0, "end_index": 0},
    }
