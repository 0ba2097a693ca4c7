"""A checkpoint that a client edited: it can ask for less, and earns nothing."""

import math

import pytest

from fusion_tool import ConfigError, FusionConfig
from fusion_tool.graph.limits import elapsed_work, spent_so_far
from fusion_tool.graph.preflight import check_wave

CONFIG = FusionConfig(panel=["own:a", "own:b", "own:c"])
SOUND = {
    "plan": {"strategy": "panel", "seats": [0, 1, 2], "waves": [[0, 1, 2]], "reason": "", "bash": "off"},
    "wave": 0,
    "asks": [{"seat": seat, "point": "", "shown": ""} for seat in range(3)],
}


def ask(*seats):
    return {"asks": [{"seat": seat, "point": "", "shown": ""} for seat in seats]}


def planned(strategy="panel", waves=((0, 1, 2),)):
    return {"plan": SOUND["plan"] | {"strategy": strategy, "waves": [list(wave) for wave in waves]}}


@pytest.mark.parametrize(
    ("edited", "field"),
    [
        (ask(*[0] * 50), "asks"),
        (ask(3), "asks"),
        (ask(-1), "asks"),
        (planned(waves=[[0, 1, 2]] * 9), "plan.waves"),
        (planned(waves=[[7]]), "plan.waves"),
        (planned("chain"), "plan.strategy"),
        ({"wave": -1}, "wave"),
        ({"wave": 1}, "wave"),
    ],
    ids=str,
)
def test_a_wave_that_asks_for_more_is_refused(edited, field):
    with pytest.raises(ConfigError) as refused:
        check_wave({**SOUND, **edited}, CONFIG)
    assert refused.value.field == field


@pytest.mark.parametrize("edited", [{}, ask(1), ask(2, 0), planned(waves=[[2], [0]])], ids=str)
def test_one_that_asks_for_as_much_or_less_is_not(edited):
    check_wave({**SOUND, **edited}, CONFIG)


def test_a_follow_up_has_one_wave_beyond_the_plan():
    more = CONFIG.model_copy(update={"follow_up": True})
    check_wave({**SOUND, "wave": 1}, more)
    with pytest.raises(ConfigError, match="wave: no wave is left after 2"):
        check_wave({**SOUND, "wave": 2}, more)


@pytest.mark.parametrize("written", [-100.0, -1, math.nan])
def test_nothing_is_earned(written):
    record = {"wave": 1, "seconds": written, "spent": [written, -5]}
    assert tuple(spent_so_far([record])) == (0.0, 0)
    assert elapsed_work([record], {"seconds": written, "spent": [0.0, 0]}) == 0
