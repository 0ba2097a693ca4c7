"""The usage that a provider's reply reports, normalised.

Servers report nulls, strings or a list, count up in each chunk, or put the usage inside the choice or into a field of
their own. Plausible figures are taken, the rest is unknown: an impossible figure must not cost the answer.

Protocol: OpenAI's chat completions, "usage"; OpenRouter, "Usage accounting"; Moonshot, whose usage is the choice's;
llama.cpp's server, "timings", where older versions alone tell what their prompt cache served.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage

from fusion_tool.budget.usage import believe_count, believe_usd

_COUNTS = ("prompt_tokens", "completion_tokens")
_NAMES = {
    "prompt_tokens": ("prompt_tokens", "input_tokens", "promptTokenCount", "prompt_eval_count"),
    "completion_tokens": ("completion_tokens", "output_tokens", "candidatesTokenCount", "eval_count"),
}
"""What the counts are called, at OpenAI's interfaces and at those that some servers mix with them."""
_PLACES = ("usage", "x_groq", "usageMetadata", "usage_metadata", "meta")
_OURS = ("input_tokens", "output_tokens")
_PROMPT_DETAILS, _CACHED = "prompt_tokens_details", "cached_tokens"
_DETAILS = (_PROMPT_DETAILS, "completion_tokens_details")
_CACHED_NAMES = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cachedContentTokenCount", _CACHED)
"""Where DeepSeek, Anthropic, Google and Moonshot count what their caches served, beside the counts."""
_WRITTEN = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
"""Where Anthropic's client counts what was written to the cache: in the first, or by how long it is kept."""
_COST = "cost"
_TELLING = frozenset(sum(_NAMES.values(), (_COST,)))
"""By any of these a field is known for a usage."""
_PART = "usage"


def has_usage(body: Mapping[str, Any]) -> bool:
    """Tell whether a reply, or a stream's chunk, reports any usage."""
    return bool(_usage_of(body))


def read_usage(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plausible figures of a reply or chunk, in OpenAI's form; an unknown one is left out."""
    usage = _usage_of(body)
    counts = {name: _first_count(usage, _NAMES[name]) for name in _COUNTS}
    details = {name: _counts(usage.get(name)) for name in _DETAILS}
    cached = _first_count({**_mapping(body.get("timings")), **usage}, (*_CACHED_NAMES, "cache_n"))
    if usage and cached is not None:
        details[_PROMPT_DETAILS].setdefault(_CACHED, cached)
    figures = {**counts, **details, _COST: believe_usd(usage.get(_COST))}
    return {name: figure for name, figure in figures.items() if figure not in (None, {})}


def merge_figures(known: dict[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usage so far after one more chunk with usage, as `read_usage` gives it."""
    # The maximum, not the sum: a chunk that reports usage counts what came before it, too.
    most = dict(known)
    for name, figure in newer.items():
        before = known.get(name)
        if isinstance(figure, dict):
            most[name] = merge_figures(before or {}, figure)
        else:
            most[name] = figure if before is None else max(before, figure)
    return most


def complete_usage(figures: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figures as a complete usage in OpenAI's form; `None` where a count is unknown."""
    if not all(name in figures for name in _COUNTS):
        return None
    return {**figures, "total_tokens": sum(figures[name] for name in _COUNTS)}


def partial_usage(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a message's metadata has to hold: the cost, and a single known count."""
    # LangChain's usage is both counts or nothing.
    cost = {"cost_usd": figures[_COST]} if _COST in figures else {}
    counts = {ours: figures[name] for name, ours in zip(_COUNTS, _OURS, strict=True) if name in figures}
    return cost | ({_PART: counts} if len(counts) == 1 else {})


def tokens_of(message: AIMessage) -> dict[str, Any]:
    """Return the token counts of a message of any chat model, by their names on the bill."""
    usage = _mapping(message.usage_metadata) or _mapping(message.response_metadata.get(_PART))
    cached = _mapping(usage.get("input_token_details")).get("cache_read")
    return {name: usage.get(name) for name in _OURS} | {"cached_tokens": cached}


def written_tokens(message: AIMessage) -> int:
    """Return how many tokens of a message's prompt were written to the provider's cache, as far as it says."""
    details = _mapping(_mapping(message.usage_metadata).get("input_token_details"))
    return sum(believe_count(details.get(name)) or 0 for name in _WRITTEN)


def _usage_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = body.get("choices")
    inside = _mapping(choices[0]).get("usage") if isinstance(choices, list) and choices else None
    for value in (*(body.get(place) for place in _PLACES), inside):
        if not value:  # as in nearly every chunk
            continue
        entry = value[0] if isinstance(value, list) and len(value) == 1 else value
        usage = _mapping(_mapping(entry).get("usage")) or _mapping(entry)  # Groq has it one level further inside
        if not _TELLING.isdisjoint(usage):
            return usage
    return {}


def _first_count(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := believe_count(usage.get(name))) is not None), None)


def _counts(details: Any) -> dict[str, int]:
    counts = {name: believe_count(value) for name, value in _mapping(details).items()}
    return {name: count for name, count in counts.items() if count is not None}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
