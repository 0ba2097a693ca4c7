"""What a hosted caller may change, and that nothing else ever changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool import ConfigError, FusionConfig
from fusion_tool.config.presets import load_presets, preset
from fusion_tool.config.schema import Documents, Fetch, Limits, Panelist, Search
from fusion_tool.servers.overrides import (
    OPERATOR_ONLY,
    OVERRIDABLE,
    apply_overrides,
    parse_overrides,
)

OPERATOR = FusionConfig(
    panel=(
        Panelist(model="openrouter:google/gemini-3-flash-preview", temperature=0.3),
        Panelist(model="own:llama", base_url="http://10.0.0.7:8000/v1", api_key_env="OWN_KEY", seat="house"),
        Panelist(model="openrouter:qwen/qwen3.7-plus"),
    ),
    judge=Panelist(model="openrouter:anthropic/claude-opus-4.8"),
    limits=Limits(usd=1.0, seconds=120, quorum=3, min_answers=2),
    documents=Documents(path="/srv/papers", send_to="local"),
    fetch=Fetch(allowed_private_hosts=("wiki.corp",)),
    search=Search(providers=("searxng",)),
    excluded_domains=("example.org",),
    blocked_fragments=("canary",),
    deny=("xai/*",),
    max_tool_calls=4,
)
KEPT = ("documents", "fetch", "search", "bash", "blocked_fragments", "deny", "privacy", "cache", "allow_unpriced")


def names(config):
    return [seat.model_name for seat in config.panel]


def test_nothing_asked_is_the_operators_configuration():
    assert apply_overrides(OPERATOR, parse_overrides({})) == OPERATOR
    assert apply_overrides(OPERATOR, parse_overrides(dict.fromkeys(OVERRIDABLE))) == OPERATOR


@pytest.mark.parametrize(
    "name",
    ["openrouter:google/gemini-3-flash-preview", "google/gemini-3-flash-preview", "gemini-3-flash-preview"],
)
def test_a_model_is_known_by_each_of_its_names_and_keeps_its_settings(name):
    config = apply_overrides(OPERATOR, parse_overrides({"models": [name], "judge": name}))
    assert names(config) == ["openrouter:google/gemini-3-flash-preview"]
    assert config.panel[0].temperature == config.judge.temperature == 0.3


def test_a_seat_is_known_by_its_label_and_may_sit_twice():
    config = apply_overrides(OPERATOR, parse_overrides({"models": ["house", "house"]}))
    assert [seat.base_url for seat in config.panel] == ["http://10.0.0.7:8000/v1"] * 2
    assert config.seat_labels == ("own:llama", "own:llama-2")


def test_a_smaller_panel_needs_no_more_answers_than_it_has_seats():
    limits = apply_overrides(OPERATOR, parse_overrides({"models": ["house"]})).limits
    assert (limits.quorum, limits.min_answers) == (1, 1)


def test_what_is_asked_for_is_set():
    asked = {
        "strategy": "solo",
        "limits": {"usd": 0.25, "seconds": 60, "quorum": 2, "tokens": None},
        "quality": 0.8,
        "excluded_domains": ["example.com"],
        "follow_up": True,
        "max_tool_calls": 2,
        "synthesizer": "qwen3.7-plus",
    }
    config = apply_overrides(OPERATOR, parse_overrides(asked))
    assert (config.strategy, config.quality, config.follow_up, config.max_tool_calls) == ("solo", 0.8, True, 2)
    assert config.limits == Limits(usd=0.25, seconds=60, quorum=2, min_answers=2)
    assert config.excluded_domains == ("example.org", "example.com")
    assert config.synthesizer.model_name == "openrouter:qwen/qwen3.7-plus"


REFUSED = [
    ({"base_url": "http://169.254.169.254/"}, "base_url"),
    ({"documents": "/etc"}, "documents"),
    ({"bash": "auto"}, "bash"),
    ({"api_key_env": "AWS_SECRET"}, "api_key_env"),
    ({"allowed_private_hosts": ["10.0.0.1"]}, "allowed_private_hosts"),
    ({"fetch": {"allowed_private_hosts": ["10.0.0.1"]}}, "fetch"),
    ({"search": {"providers": ["tavily"]}}, "search"),
    ({"trace_content": True}, "trace_content"),
    ({"allow_unpriced": True}, "allow_unpriced"),
    ({"deny": []}, "deny"),
    ({"privacy": "any"}, "privacy"),
    ({"cache": True}, "cache"),
    ({"panel": ["openrouter:x/y"]}, "panel"),
    ({"documents": None}, "documents"),
    ({"colour": "red"}, "colour"),
    ({"models": ["openrouter:openai/gpt-5.5"]}, "models.0"),
    ({"models": [{"model": "house", "base_url": "http://evil"}]}, "models"),
    ({"models": "house"}, "models"),
    ({"models": []}, "models"),
    ({"models": ["house"] * 4}, "models"),
    ({"judge": {"model": "house"}}, "judge"),
    ({"synthesizer": "openai:gpt-5.5"}, "synthesizer"),
    ({"strategy": "all"}, "strategy"),
    ({"quality": 2}, "quality"),
    ({"follow_up": "perhaps"}, "follow_up"),
    ({"excluded_domains": "example.com"}, "excluded_domains"),
    ({"max_tool_calls": 5}, "max_tool_calls"),
    ({"max_tool_calls": "many"}, "max_tool_calls"),
    ({"limits": {"usd": 1.01}}, "limits.usd"),
    ({"limits": {"seconds": 121}}, "limits.seconds"),
    ({"limits": {"grace_seconds": 50}}, "limits.grace_seconds"),
    ({"limits": {"usd": "free"}}, "limits.usd"),
    ({"limits": {"dollars": 1}}, "limits.dollars"),
    ({"limits": {"quorum": 4}}, "limits.quorum"),
    ({"limits": 5}, "limits"),
    ({"preset": "frontier"}, "preset"),
    ({"preset": ["fast"]}, "preset"),
    ([], "fusion"),
]


@pytest.mark.parametrize(("asked", "field"), REFUSED)
def test_what_is_not_the_callers_is_refused_by_name(asked, field):
    with pytest.raises(ConfigError) as refused:
        apply_overrides(OPERATOR, parse_overrides(asked))
    assert refused.value.field == field


def test_every_setting_is_either_the_callers_or_the_operators():
    assert set(FusionConfig.model_fields) <= {*OVERRIDABLE, *OPERATOR_ONLY}
    assert not OPERATOR_ONLY & set(OVERRIDABLE)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "preset": st.sampled_from(["fast", "quality"]),
            "models": st.lists(st.sampled_from(["house", "qwen3.7-plus"]), min_size=1, max_size=2),
            "strategy": st.sampled_from(["panel", "solo"]),
            "limits": st.fixed_dictionaries({}, optional={"usd": st.floats(0.1, 1), "seconds": st.floats(1, 120)}),
            "excluded_domains": st.lists(st.sampled_from(["a.example", "b.example"])),
        },
    )
)
def test_no_wish_loosens_a_rule_of_the_operators(asked):
    config = apply_overrides(OPERATOR, parse_overrides(asked), presets=load_presets(["fast", "quality"]))
    assert [getattr(config, field) for field in KEPT] == [getattr(OPERATOR, field) for field in KEPT]
    assert set(OPERATOR.excluded_domains) <= set(config.excluded_domains)
    assert config.limits.usd <= 1.0
    assert config.limits.seconds <= 120
    assert config.max_tool_calls <= 4


def test_an_allowed_preset_brings_its_models_and_its_quorum():
    config = apply_overrides(OPERATOR, parse_overrides({"preset": "fast"}), presets=load_presets(["fast"]))
    assert names(config) == names(preset("fast"))
    assert config.limits.quorum == preset("fast").limits.quorum
    assert config.limits.usd == 1.0


def test_a_preset_without_web_tools_has_none():
    assert (
        apply_overrides(OPERATOR, parse_overrides({"preset": "local"}), presets=load_presets(["local"])).search is None
    )
