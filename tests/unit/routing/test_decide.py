"""What is decided of a configuration before any call, and in which order."""

import pytest

from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.routing.decide import decide

CODING = "Fix this Python function: it raises IndexError on an empty list.\n\ndef first(xs):\n    return xs[0]\n"
OPUS, LOCAL = "openrouter:anthropic/claude-opus-4.6", "local:smollm2-135m"
KEYED = frozenset({"openrouter"})


def config(*models, **overrides):
    return FusionConfig(panel=models or (OPUS,), search=None, **overrides)


async def test_what_nothing_binds_is_the_very_same_object():
    given = config(OPUS, LOCAL, judge="openrouter:z-ai/glm-5")
    decision = await decide(given, CODING, "", keyed=KEYED)
    assert decision.config is given
    assert (decision.choice, decision.notes) == (None, ())


async def test_privacy_comes_before_the_router():
    decision = await decide(config(OPUS, LOCAL, strategy="auto", privacy="local"), CODING, "", keyed=KEYED)
    roles = (*decision.config.panel, decision.config.judge, decision.config.synthesizer)
    assert {one.model for one in roles} == {LOCAL}


@pytest.mark.parametrize("setting", ["privacy", "documents.send_to"])
@pytest.mark.parametrize("strategy", ["panel", "auto"])
async def test_what_goes_on_from_a_run_that_stayed_here_stays_here(setting, strategy):
    given = config(OPUS, LOCAL, judge=LOCAL, strategy=strategy)
    decision = await decide(given, CODING, "", keyed=KEYED, stays_local_by=setting)
    roles = (*decision.config.panel, decision.config.judge, decision.config.synthesizer)
    assert {one.model for one in roles if one} == {LOCAL}
    said = f"it goes on from a run that stayed on this machine ({setting} = 'local')"
    assert (decision.config.privacy, decision.config.trace_content, decision.notes[0]) == ("local", False, said)
    with pytest.raises(ConfigError, match=r"leaves no model .*; it goes on from a run that stayed on this machine"):
        await decide(config(OPUS, strategy=strategy), CODING, "", keyed=KEYED, stays_local_by=setting)


@pytest.mark.parametrize(
    ("setting", "settings"),
    [("privacy", {"privacy": "local"}), ("documents.send_to", {"documents": {"path": ".", "send_to": "local"}})],
)
async def test_where_the_settings_say_so_already_it_is_no_news(setting, settings):
    given = config(LOCAL, judge=LOCAL, synthesizer=LOCAL, trace_content=False, **settings)
    alone = await decide(given, CODING, "", keyed=KEYED)
    assert await decide(given, CODING, "", keyed=KEYED, stays_local_by=setting) == alone


async def test_bans_bind_whom_the_router_keeps():
    given = config(
        "openrouter:x/one",
        judge={"model": OPUS, "fallbacks": ("openrouter:x/two",)},
        strategy="auto",
        deny=("anthropic/*",),
    )
    decision = await decide(given, CODING, "", keyed=KEYED)
    roles = (*decision.config.panel, decision.config.judge, decision.config.synthesizer)
    assert not any("anthropic" in name for one in roles for name in (one.model, *one.fallbacks))
    assert any("denied by 'anthropic/*'" in note for note in decision.notes)


async def test_where_nobody_may_be_asked_it_says_why():
    with pytest.raises(ConfigError, match="denied by") as caught:
        await decide(config(strategy="auto", deny=("*",)), CODING, "", keyed=KEYED)
    assert caught.value.field == "deny"


async def test_limits_that_count_seats_fit_the_chosen_panel():
    given = config("openrouter:x/one", "openrouter:x/two", strategy="auto", limits={"quorum": 2, "min_answers": 2})
    decided = (await decide(given, CODING, "", keyed=KEYED)).config
    assert len(decided.panel) == decided.limits.quorum == decided.limits.min_answers == 1


async def test_it_tells_who_receives_documents(tmp_path):
    decision = await decide(config(OPUS, documents=tmp_path), CODING, "", keyed=KEYED)
    assert decision.notes == ("documents go to openrouter",)
