"""What a provider's reply says of its own usage, made ours.

Usage is whatever a server makes of it: nulls, strings, a list, counted up in each chunk, or inside the choice. What
can be believed is taken, the rest is unknown; a figure that cannot be must not cost the answer that it came with.

Protocol: OpenAI's chat completions, "usage"; OpenRouter, "Usage accounting"; Moonshot, whose usage is the choice's.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage

from fusion_tool.budget.usage import believe_count, believe_usd

_COUNTS = ("prompt_tokens", "completion_tokens")
_OURS = ("input_tokens", "output_tokens")
_DETAILS = ("prompt_tokens_details", "completion_tokens_details")
_COST = "cost"
_PART = "usage"


def tells_usage(body: Mapping[str, Any]) -> bool:
    """Whether a reply, or a stream's chunk, says anything of its usage."""
    return bool(_told(body))


def read_usage(body: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a reply or chunk that can be believed, in OpenAI's form; what is unknown is not in it."""
    told = _told(body)
    counts = {name: believe_count(told.get(name)) for name in _COUNTS}
    details = {name: _counts(told.get(name)) for name in _DETAILS}
    figures = {**counts, **details, _COST: believe_usd(told.get(_COST))}
    return {name: figure for name, figure in figures.items() if figure not in (None, {})}


def later(known: dict[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What is known after one more chunk: each counts what came before it too, so that the most is the sum."""
    most = dict(known)
    for name, figure in told.items():
        before = known.get(name)
        if isinstance(figure, dict):
            most[name] = later(before or {}, figure)
        else:
            most[name] = figure if before is None else max(before, figure)
    return most


def whole(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """The figures as a usage that any reader of OpenAI's understands; `None` where a count is unknown."""
    if not all(name in figures for name in _COUNTS):
        return None
    return {**figures, "total_tokens": sum(figures[name] for name in _COUNTS)}


def partial(figures: Mapping[str, Any]) -> dict[str, Any]:
    """What a message's metadata holds of the figures: the cost, and counts for which its usage has no place."""
    cost = {"cost_usd": figures[_COST]} if _COST in figures else {}
    counts = {ours: figures[name] for name, ours in zip(_COUNTS, _OURS, strict=True) if name in figures}
    return cost | ({_PART: counts} if len(counts) == 1 else {})


def tokens_of(message: AIMessage) -> dict[str, Any]:
    """The counts of a message, whoever made it, by their names on the bill."""
    told = _mapping(message.usage_metadata) or _mapping(message.response_metadata.get(_PART))
    cached = _mapping(told.get("input_token_details")).get("cache_read")
    return {name: told.get(name) for name in _OURS} | {"cached_tokens": cached}


def _told(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if told := _mapping(body.get("usage")):
        return told
    choices = body.get("choices")
    return _mapping(_mapping(choices[0]).get("usage")) if isinstance(choices, list) and choices else {}


def _counts(told: Any) -> dict[str, int]:
    counts = {name: believe_count(value) for name, value in _mapping(told).items()}
    return {name: count for name, count in counts.items() if count is not None}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
