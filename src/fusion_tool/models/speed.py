"""How fast the models on the user's own servers are, learnt from their calls, and remembered.

Protocol: llama.cpp's server measures each request itself, and says so in the `timings` of its reply. Of other servers
only the whole time of a call is known, in which it may have waited behind others.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from langchain_core.messages import AIMessage

from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.models.facts import read_fact, write_fact
from fusion_tool.models.identity import ModelIdentity
from fusion_tool.models.local.catalog import model_of
from fusion_tool.models.providers import place_of

TIMINGS = "timings"
"""Where in a message's metadata its server's own measurements stand."""
_FACT = "speed"
_PROMPT_RATIO = 5.0
"""How much faster a prompt is read than an answer is written, where only their sum was measured."""
_FEWEST_READ, _FEWEST_WRITTEN = 64, 8
"""Tokens of a prompt and of an answer below which their time is that of the request and not of the tokens."""
_LATEST = 0.5
"""The part that the latest call has in what is known: a machine is busy now and free then."""
_DRIFT = 1.5
"""How far a measured speed may be from the remembered one before that is written anew."""


@dataclass(frozen=True)
class Speed:
    """A model's speed on its server.

    Args:
        prompt: Tokens of a prompt that are read in a second.
        answer: Tokens of an answer that are written in a second.
    """

    prompt: float
    answer: float

    def seconds(self, prompt_tokens: float, answer_tokens: float) -> float:
        """Return the seconds of a call with so many tokens."""
        return prompt_tokens / self.prompt + answer_tokens / self.answer


_UNMEASURED, _UNMEASURED_BYTES = Speed(prompt=60.0, answer=12.0), 1.1e9
"""The speed of a model of 1.5 billion parameters on two free cores, and its weights' size in bytes."""
_known: dict[str, Speed] = {}
_recorded: dict[str, Speed] = {}


def known_speed(panelist: Panelist) -> Speed | None:
    """Return how fast the panelist's model is; `None` where nothing is known, or it is on no server of the user's."""
    return _known.get(place_of(panelist) or "")


def assumed_speed(panelist: Panelist) -> Speed:
    """Return what is counted on where nothing is measured: the larger a local model's weights, the slower."""
    model = model_of(panelist)
    size = model.path.stat().st_size if model and model.path.is_file() else 0
    part = min(1.0, _UNMEASURED_BYTES / size) if size else 1.0
    return Speed(_UNMEASURED.prompt * part, _UNMEASURED.answer * part)


def load_speed(panelist: Panelist) -> None:
    """Read what is remembered of the panelist's model, unless this process knows better; a damaged row is none."""
    place = place_of(panelist)
    if not place or place in _recorded:
        return
    row = read_fact(ModelIdentity(place, None), _FACT)
    if isinstance(row, Mapping) and (speed := _speed_of(row.get("prompt"), row.get("answer"))):
        _recorded[place] = speed
        _known.setdefault(place, speed)


async def learn_speed(panelist: Panelist, message: AIMessage, row: Call) -> None:
    """Learn from a call that has ended; of models that are on no server of the user's nothing is learnt.

    Args:
        panelist: Who was called.
        message: The reply, with what its server measured where it says so.
        row: The call's row of the bill.
    """
    place = place_of(panelist)
    if place is None:
        return
    before, timings = _known.get(place), message.response_metadata.get(TIMINGS)
    if (now := _measured(timings, before) if isinstance(timings, Mapping) else _fastest(row, before)) is None:
        return
    _known[place] = now
    recorded = _recorded.get(place)
    if recorded is None or not 1 / _DRIFT < now.answer / recorded.answer < _DRIFT:
        _recorded[place] = now
        value = {name: round(value, 2) for name, value in asdict(now).items()}
        # Of no version: what another model at the same place takes shows in its first calls.
        await asyncio.to_thread(write_fact, ModelIdentity(place, None), _FACT, value)


def _measured(timings: Mapping[str, Any], before: Speed | None) -> Speed | None:
    """Return what a server's own figures make of what was known; `None` where they tell nothing."""
    answer = _rate(timings.get("predicted_n"), timings.get("predicted_ms"), _FEWEST_WRITTEN)
    # What came from its cache is not counted: a prompt that was nearly all there says nothing about reading.
    prompt = _rate(timings.get("prompt_n"), timings.get("prompt_ms"), _FEWEST_READ)
    if before is None:
        return _speed_of(prompt or (answer and answer * _PROMPT_RATIO), answer or (prompt and prompt / _PROMPT_RATIO))
    return Speed(_blend(before.prompt, prompt), _blend(before.answer, answer))


def _blend(before: float, now: float | None) -> float:
    return before if now is None else before + _LATEST * (now - before)


def _fastest(row: Call, before: Speed | None) -> Speed | None:
    """Return the faster of what was known and what the whole time of a call comes to: it may have waited in it."""
    read, written, seconds = row.input_tokens, row.output_tokens, row.seconds
    if read is None or not written or written < _FEWEST_WRITTEN or not seconds:
        return None
    answer = ((read - (row.cached_tokens or 0)) / _PROMPT_RATIO + written) / seconds
    return before if before and before.answer > answer else _speed_of(answer * _PROMPT_RATIO, answer)


def _rate(count: Any, milliseconds: Any, fewest: int) -> float | None:
    if not _is_positive(count) or not _is_positive(milliseconds) or count < fewest:
        return None
    return float(count / milliseconds * 1000)


def _speed_of(prompt: Any, answer: Any) -> Speed | None:
    return Speed(float(prompt), float(answer)) if _is_positive(prompt) and _is_positive(answer) else None


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")
