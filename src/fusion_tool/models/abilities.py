"""What a model of the user's own did when it was tried: whether it calls tools, and cites; remembered.

A profile says what a model was made for, a window how much it can read; neither says what it does.
"""

import asyncio
import time
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from fusion_tool.config.schema import Panelist
from fusion_tool.models.facts import read_fact, write_fact
from fusion_tool.models.identity import ModelIdentity, identify, model_key

_FACT = "abilities"
_LOOK_AGAIN = 300.0
"""Seconds after which an endpoint is asked again whether it still serves the same model."""


@dataclass(frozen=True)
class Abilities:
    """What a model did in its trial.

    Args:
        calls_tools: Whether it called the tool that the question needed.
        cites: Whether it cited the source that its answer rests on.
    """

    calls_tools: bool
    cites: bool

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{'calls tools' if self.calls_tools else 'calls no tools'}, {'cites' if self.cites else 'cites nothing'}"
        )


class _Memory(NamedTuple):
    abilities: Abilities | None
    version: str | None
    looked_at: float


_memory: dict[str, _Memory] = {}


def known_abilities(panelist: Panelist) -> Abilities | None:
    """Return what the panelist's model did in its trial; `None` where it has had none, or nobody looked that up."""
    memory = _memory.get(model_key(panelist) or "")
    return memory.abilities if memory else None


def load_abilities(panelist: Panelist) -> None:
    """Read what is remembered of the panelist's model, unless this process knows better; no endpoint is asked."""
    key = model_key(panelist)
    if key and key not in _memory and (abilities := _read_row(read_fact(ModelIdentity(key, None), _FACT))):
        # Of a version that no model has: whoever looks at the model itself decides whether it is the same.
        _memory[key] = _Memory(abilities, "", float("-inf"))


async def recall_abilities(panelist: Panelist, *, now: bool = False) -> Abilities | None:
    """Look up what the panelist's model did in its trial, in this process or another.

    Args:
        panelist: Whose model it is.
        now: Whether to look also where that was done within the last minutes.

    Returns:
        `None` where it has had no trial, where the model that had one was another, and for models of vendors.
    """
    # In a thread: the first look at a price list imports it.
    key = await asyncio.to_thread(model_key, panelist)
    memory = _memory.get(key or "")
    if memory and not now and time.monotonic() - memory.looked_at < _LOOK_AGAIN:
        return memory.abilities
    identity = await identify(panelist)
    if identity is None:
        return None
    abilities = _read_row(await asyncio.to_thread(read_fact, identity, _FACT))
    # A folder that cannot be written keeps nothing: then this process alone remembers.
    if abilities is None and memory and identity.may_be(memory.version):
        abilities = memory.abilities
    _memory[identity.key] = _Memory(abilities, identity.version, time.monotonic())
    return abilities


async def remember_abilities(panelist: Panelist, abilities: Abilities) -> None:
    """Keep what a model of the user's own did in its trial; of others nothing is kept."""
    if identity := await identify(panelist):
        _memory[identity.key] = _Memory(abilities, identity.version, time.monotonic())
        await asyncio.to_thread(write_fact, identity, _FACT, asdict(abilities))


def _read_row(row: Any) -> Abilities | None:
    names = ("calls_tools", "cites")
    if not isinstance(row, dict) or not all(isinstance(row.get(name), bool) for name in names):
        return None
    return Abilities(**{name: row[name] for name in names})
