"""Roles: where one model judges, writes and has a seat, though the panel has others, a user is told once."""

import pytest

from fusion_tool.api.tool import FusionTool
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig
from fusion_tool.routing.decide import decide
from fusion_tool.routing.roles import role_warning

A, B, C = "openrouter:v/a", "openrouter:v/b", "openrouter:v/c"


@pytest.mark.parametrize(
    ("panel", "roles", "other"),
    [
        pytest.param((A, B), {}, B, id="by default the first model does it all"),
        pytest.param((A, B), {"judge": B}, A, id="a judge that writes and has a seat"),
        pytest.param((A, B), {"judge": "openrouter:v/a:free"}, B, id="the same model by another route"),
        pytest.param((A, B), {"judge": A, "synthesizer": B}, None, id="two models judge and write"),
        pytest.param((A, B), {"judge": C}, None, id="nobody of the panel"),
        pytest.param((A, A), {}, None, id="no other is at hand"),
        pytest.param((A,), {}, None, id="one seat"),
    ],
)
def test_one_model_in_every_role_is_told(panel, roles, other):
    warning = role_warning(FusionConfig(panel=panel, **roles))
    assert warning is None if other is None else warning.endswith(f"{other} could judge or write")


@pytest.mark.parametrize("name", ["budget", "value", "quality", "best", "frontier", "self", "fast", "free", "local"])
async def test_no_preset_is_warned_of(name):
    """A published one is as published; whoever took it chose none of its roles."""
    assert role_warning(preset(name)) is None
    decision = await decide(preset(name), "Q?", "", keyed=frozenset({"anthropic"}))
    assert not any("judges, writes" in note for note in decision.notes)


def test_of_our_own_presets_that_compare_models_none_lets_a_seat_judge_and_write():
    for name in ("value", "best", "fast", "free"):
        config = preset(name)
        assert config.judge.model != config.synthesizer.model


async def test_a_plan_tells_it_once():
    decision = await decide(FusionConfig(panel=(A, B), health=False), "Q?", "")
    assert sum("judges, writes and has a seat" in note for note in decision.notes) == 1


async def test_one_seat_alone_is_judged_by_nobody():
    decision = await decide(FusionConfig(panel=(A, B), strategy="solo", health=False), "Q?", "")
    assert not any("judges" in note for note in decision.notes)


def test_the_tool_tells_it_where_it_is_made(caplog):
    FusionTool(FusionConfig(panel=(A, B)))
    FusionTool(FusionConfig(panel=(A, B), judge=C))
    assert [record.message.endswith("could judge or write") for record in caplog.records] == [True]
