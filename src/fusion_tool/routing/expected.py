"""What a plan's calls are expected to cost and take, by the assumptions of `fusion_tool.estimate`."""

import math
from collections.abc import Sequence
from functools import lru_cache

from fusion_tool.config import FusionConfig
from fusion_tool.estimate import ANALYSIS_TOKENS, ANSWER_TOKENS, BYTES_A_TOKEN, RESULT_TOKENS, TURN_TOKENS
from fusion_tool.pricing import cost_of

_INSTRUCTIONS = 1500
"""Tokens of a role's instructions, with the schemas of a seat's tools."""

_STEP = 1000
"""Bytes by which questions are counted: the price list is slow, and steps let its answers be kept."""


def seat_usd(model: str, config: FusionConfig, asked: int) -> float | None:
    """US dollars of one seat that makes all its tool calls, one a turn; `None` where the price is unknown.

    Args:
        model: `"provider:model"`.
        config: Its tools and how often they may be called.
        asked: Bytes of the question and its context.
    """
    turns = _turns(config)
    prompt, growth = _prompt(asked), RESULT_TOKENS + TURN_TOKENS
    read = sum(prompt + turn * growth for turn in range(turns + 1))
    return _usd(model, read, _written(turns))


def comparison_usd(judge: str, synthesizer: str, asked: int, answers: int) -> float | None:
    """US dollars of comparing `answers` answers and writing one; `None` where a price is unknown."""
    prompt = _prompt(asked) + answers * ANSWER_TOKENS
    judged = _usd(judge, prompt, ANALYSIS_TOKENS)
    return total([judged, _usd(synthesizer, prompt + ANALYSIS_TOKENS, ANSWER_TOKENS)])


def seat_seconds(tokens_per_second: float | None, config: FusionConfig) -> float | None:
    """Seconds that one seat writes; `None` where its speed is unknown."""
    return None if tokens_per_second is None else _written(_turns(config)) / tokens_per_second


def total(costs: Sequence[float | None]) -> float | None:
    """The sum; unknown where one of them is."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def _prompt(asked: int) -> int:
    """Tokens of the first prompt."""
    return _INSTRUCTIONS + math.ceil(asked / _STEP) * _STEP // BYTES_A_TOKEN


@lru_cache(maxsize=4096)
def _usd(model: str, read: int, written: int) -> float | None:
    return cost_of(model, input_tokens=read, output_tokens=written)[0]


def _turns(config: FusionConfig) -> int:
    tools = config.search is not None or config.documents is not None or config.bash != "off"
    return config.max_tool_calls if tools else 0


def _written(turns: int) -> int:
    return turns * TURN_TOKENS + ANSWER_TOKENS
