"""How often a strategy asks whom: on average by stated assumptions, and at most."""

from typing import NamedTuple

from fusion_tool.budget import MOST_ASKS
from fusion_tool.config import FusionConfig

ESCALATION = 0.35
"""The share of runs in which a cascade goes beyond its scouts, and a chain from one seat to the next."""
SCOUTS = 2
"""Seats that a cascade asks first."""


class Times(NamedTuple):
    """How often one is asked: on average, and at most."""

    expected: float
    most: int


class Chances(NamedTuple):
    """How often each seat, in the panel's order, the judge and the synthesizer are asked."""

    seats: list[Times]
    judge: Times
    synthesizer: Times


def chances(config: FusionConfig, cheapest_first: list[int]) -> Chances:
    """How often the configured strategy asks whom. `auto` counts as the whole panel: the router may choose less.

    Args:
        config: The run's configuration.
        cheapest_first: The seats, as indices into the panel, by their price.
    """
    seats, waves = len(config.panel), 1
    asked, writes = [1.0] * seats, 1.0
    match config.strategy:
        case "solo":
            return Chances([Times(1, 1)], Times(0, 0), Times(0, 0))
        case "cascade" if seats > SCOUTS:
            asked, waves = [1.0] * SCOUTS + [ESCALATION] * (seats - SCOUTS), 2
        case "chain":
            asked, waves = [ESCALATION ** cheapest_first.index(seat) for seat in range(seats)], seats
            writes = ESCALATION if seats > 1 else 1.0  # the first answer, where it is good enough, stands as it is
    judged = sum(ESCALATION**wave for wave in range(waves)) if seats > 1 else 0.0
    most = waves if seats > 1 else 0
    if not config.follow_up or seats == 1:
        return Chances([Times(one, 1) for one in asked], Times(judged, most), Times(writes, 1))
    last = ESCALATION ** (waves - 1)
    again = last * min(MOST_ASKS, seats) / seats
    return Chances([Times(one + again, 2) for one in asked], Times(judged + last, most + 1), Times(writes, 1))
