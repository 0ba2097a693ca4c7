"""What an answer consists of on its way to a client, whoever makes it and however it is sent."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from fusion_tool.usage import Usage


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Progress:
    """A line on what is being done."""

    line: str


@dataclass(frozen=True, slots=True)
class End:
    """What stands behind an answer that is over.

    Args:
        usage: Everything that was called for it.
        fusion: The analysis, the sources and the rest of the result.
        finish_reason: As OpenAI's.
        tool_calls: The client's own tools to be called, as OpenAI's.
    """

    usage: Usage
    fusion: Mapping[str, Any]
    finish_reason: str = "stop"
    tool_calls: Sequence[Mapping[str, Any]] = ()


Emit: TypeAlias = Callable[[Text | Progress], Awaitable[None]]


def usage_of(usage: Usage) -> dict[str, Any] | None:
    """A bill as OpenAI's `usage`, with OpenRouter's `cost` in US dollars; `None` where no tokens are known."""
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


def beside_the_answer(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result, as a dict, without what the client has anyway."""
    return {name: value for name, value in result.items() if name not in ("answer", "question")}
