"""Bans bind every role, and a run without OpenRouter asks the vendors whose keys are set, and nobody else."""

from datetime import date

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI

from fusion_tool.budget.pricing import is_priced
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.providers import PROVIDERS
from fusion_tool.routing.policy.allowed import apply_bans
from fusion_tool.routing.policy.model_names import all_names, matching_ban, vendors
from tests.unit.routing.models import OWN_KEYS, PROFILES, SHIPPED, TODAY, asked, left_of, models, roles

OPUS = "openrouter:anthropic/claude-opus-4.8"


def config(*panel, **fields):
    return FusionConfig(panel=panel, **fields)


def named(model, **fields):
    return Panelist(model=model, **fields)


# What a pattern means.

MEANT = [
    ("anthropic/*", "openrouter:anthropic/claude-opus-4.8"),
    ("anthropic/*", "openrouter:~anthropic/claude-opus-latest"),
    ("anthropic/*", "anthropic:claude-opus-4-8"),
    ("anthropic/*", "bedrock_converse:us.anthropic.claude-opus-4-8-v1:0"),
    ("anthropic/*", "bedrock:anthropic.claude-sonnet-5"),
    ("anthropic/*", "google_anthropic_vertex:claude-opus-4-8"),
    ("anthropic/*", "google_vertexai:claude-opus-4-8"),
    ("anthropic/*", "litellm:anthropic/claude-opus-4-8"),
    ("ANTHROPIC/*", "openrouter:anthropic/claude-opus-4.8"),
    ("anthropic/claude-opus-4.8", "anthropic:claude-opus-4-8"),
    ("anthropic/claude-opus-4-8", "openrouter:anthropic/claude-opus-4.8"),
    ("*/claude-opus-*", "openrouter:~anthropic/claude-opus-latest"),
    ("claude-*", "anthropic:claude-opus-4-8"),
    ("anthropic", "openrouter:anthropic/claude-opus-4.8"),
    ("openai/*", "openai:gpt-5.5"),
    ("openai/*", "openai:ft:anything:acme::1"),
    ("openai/*", "azure_openai:my-deployment"),
    ("openai/*", "openrouter:openai/gpt-oss-120b:free"),
    ("openai/gpt-oss-120b", "openrouter:openai/gpt-oss-120b:free"),
    ("openai/*", "groq:openai/gpt-oss-120b"),
    ("openai/*", "ollama:gpt-oss:20b"),
    ("google/*", "google_genai:gemini-3-flash-preview"),
    ("google/*", "google_vertexai:gemini-3.1-pro-preview"),
    ("gemini/*", "openrouter:google/gemma-4-31b-it:free"),
    ("mistral/*", "openrouter:mistralai/mistral-large-2512"),
    ("mistralai/*", "ollama:mistral-small:24b"),
    ("xai/*", "openrouter:~x-ai/grok-latest"),
    ("x-ai/*", "xai:grok-4.7"),
    ("meta/*", "openrouter:meta-llama/llama-3.3-70b-instruct:free"),
    ("meta-llama/*", "groq:llama-3.3-70b-versatile"),
    ("meta-llama/*", "bedrock:us.meta.llama3-3-70b-instruct-v1:0"),
    ("deepseek/*", "together:deepseek-ai/DeepSeek-V4"),
    ("deepseek/*", "fireworks:accounts/fireworks/models/deepseek-v4-pro"),
    ("deepseek/*", "ollama:deepseek-r1:7b"),
    ("z-ai/*", "together:zai-org/GLM-5.3"),
    ("moonshot/*", "moonshotai:kimi-k2.6"),
    ("qwen/*", "ollama:hf.co/bartowski/Qwen3-8B-GGUF"),
    ("alibaba/*", "openrouter:qwen/qwen3.7-plus"),
    ("openrouter:*", OPUS),
    ("openrouter/*", OPUS),
    ("openrouter", OPUS),
    ("ollama:*", "ollama:qwen3:8b"),
    ("ollama:qwen3*", "ollama:qwen3:8b"),
    ("local:*", "local:smollm2-135m"),
    ("*:free", "openrouter:openai/gpt-oss-120b:free"),
    ("*", "local:smollm2-135m"),
]
NOT_MEANT = [
    ("anthropic/*", "openrouter:openai/gpt-5.5"),
    ("anthropic/*", "local:smollm2-135m"),
    ("openai/*", "openrouter:google/gemini-3-flash-preview"),
    ("openai/gpt-5.5", "openai:gpt-5.4"),
    ("openai/gpt-5.5", "openai:gpt-5.5-pro"),
    ("openrouter:*", "anthropic:claude-opus-4-8"),
    ("ollama:*", "local:smollm2-135m"),
    ("ollama:qwen3*", "ollama:llama3.3"),
    ("google/*", "openrouter:z-ai/glm-5"),
    ("meta/*", "openrouter:openai/gpt-oss-120b:free"),
    ("*:free", "openrouter:openai/gpt-oss-120b"),
]


@pytest.mark.parametrize(("pattern", "model"), MEANT)
def test_a_pattern_means_a_model_under_each_of_its_names(pattern, model):
    assert matching_ban(named(model), ("nothing/*", pattern), PROFILES) == pattern


@pytest.mark.parametrize(("pattern", "model"), NOT_MEANT)
def test_a_pattern_means_no_other_model(pattern, model):
    assert matching_ban(named(model), (pattern,), PROFILES) is None


@pytest.mark.parametrize(
    ("model", "pattern"),
    [
        (ChatAnthropic(model="claude-opus-4-8", api_key="x"), "anthropic/*"),
        (ChatAnthropic(model="claude-opus-4-8", api_key="x").bind(stop=["."]), "anthropic/claude-opus-4.8"),
        (ChatAnthropic(model="claude-opus-4-8", api_key="x").with_retry(), "anthropic:*"),
        (ChatOpenAI(model="o3", api_key="x").with_fallbacks([ChatAnthropic(model="c", api_key="x")]), "anthropic/*"),
        (ChatOpenAI(model="anything", api_key="x"), "openai/*"),
        (ChatOpenAI(model="x", base_url="https://api.deepseek.com/v1", api_key="x"), "deepseek/*"),
        (
            AzureChatOpenAI(azure_deployment="d", azure_endpoint="https://a.azure.com", api_version="1", api_key="x"),
            "openai/*",
        ),
    ],
    ids=["its class", "bound", "with retries", "its fallback", "any name", "its address", "Azure"],
)
def test_a_model_that_was_given_is_known_by_its_class_name_and_address(model, pattern):
    assert matching_ban(named(model), (pattern,), PROFILES) == pattern


@pytest.mark.parametrize(
    ("one", "pattern"),
    [
        (named("openai:qwen3", base_url="http://127.0.0.1:1/v1"), "openai/*"),
        (named(ChatOpenAI(model="qwen3", base_url="http://127.0.0.1:1/v1", api_key="x")), "openai/*"),
        (named(FakeListChatModel(responses=["x"])), "anthropic/*"),
    ],
    ids=["by name", "given", "unknown"],
)
def test_openais_client_at_another_address_is_not_openai(one, pattern):
    assert matching_ban(one, (pattern,), PROFILES) is None


@pytest.mark.parametrize("model", ["qwen3:8b", "Qwen/Qwen3-8B", "openai:qwen3"])
def test_a_server_of_ones_own_is_judged_by_its_models_name(model):
    assert matching_ban(named(model, base_url="http://gpu.corp/v1"), ("qwen/*",), PROFILES)


def test_every_profiled_vendor_is_known_under_openrouters_name(shipped_profiles):
    assert {profile.vendor for profile in shipped_profiles.values()} <= set(vendors())


# Bans.


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("vendor", sorted(vendors()))
def test_a_preset_answers_with_any_one_vendor_denied(name, vendor):
    left = left_of(preset(name), deny=(f"{vendor}/*",)).config
    assert left.panel
    assert all(vendor not in all_names(one, PROFILES) for one in asked(left))
    assert left.limits.quorum is None or left.limits.quorum <= len(left.panel)


@pytest.mark.parametrize("name", [*SHIPPED, "local"])
def test_what_nothing_binds_is_the_same_object(name):
    config = preset(name)
    assert left_of(config).config is config
    assert left_of(config).notes == ()
    assert left_of(config, deny=("cohere/*",)).notes == ()


def test_the_first_that_is_left_speaks_and_the_rest_stand_behind_it():
    seat = {
        "model": OPUS,
        "seat": "lead",
        "temperature": 0.2,
        "fallbacks": ["openrouter:openai/a", "openrouter:x-ai/b"],
    }
    left = left_of(config(seat, "openrouter:google/c"), deny=("anthropic/*",))
    assert left.config.panel[0] == Panelist(
        model="openrouter:openai/a", seat="lead", temperature=0.2, fallbacks=("openrouter:x-ai/b",)
    )
    assert left.notes == ("denied by 'anthropic/*': anthropic/claude-opus-4.8",)


def test_a_fallback_is_denied_too():
    seat = {"model": OPUS, "fallbacks": ["openrouter:openai/a"]}
    assert models(left_of(config(seat), deny=("openai/*",)).config) == [OPUS] * 3


def test_an_endpoint_stays_behind_with_its_denied_model():
    seat = {"model": "qwen3", "base_url": "http://gpu/v1", "api_key_env": "K", "fallbacks": ["openrouter:openai/a"]}
    assert left_of(config(seat), deny=("qwen/*",)).config.panel == (Panelist(model="openrouter:openai/a"),)


def test_a_seat_with_nothing_left_is_dropped_and_the_quorum_shrinks():
    limits = {"quorum": 3, "min_answers": 3}
    left = left_of(
        config(OPUS, "openrouter:openai/a", "openrouter:x-ai/b", limits=limits), deny=("anthropic/*",)
    ).config
    assert [seat.model for seat in left.panel] == ["openrouter:openai/a", "openrouter:x-ai/b"]
    assert (left.limits.quorum, left.limits.min_answers) == (2, 2)


def test_what_is_asked_instead_comes_before_a_long_list_of_what_is_not():
    seats = ("openrouter:openai/a", *(f"openrouter:anthropic/m{number}" for number in range(6)))
    left = left_of(config(*seats, judge=OPUS, synthesizer=OPUS), deny=("anthropic/*",))
    names = ", ".join(f"anthropic/m{number}" for number in range(4))
    denied = f"denied by 'anthropic/*': {names} and 3 more"
    assert left.notes == ("the panel's a judges", "a writes the answer", denied)


def test_a_judge_with_nothing_left_gives_way_to_the_first_seat_and_a_synthesizer_to_the_judge():
    seats = ({"model": "openrouter:openai/a", "seat": "one"}, "openrouter:x-ai/b")
    left = left_of(config(*seats, judge=OPUS, synthesizer=OPUS), deny=("anthropic/*",))
    assert left.config.judge == left.config.synthesizer == Panelist(model="openrouter:openai/a")
    assert left.notes[1:] == ("the panel's a judges", "a writes the answer")
    left = left_of(config(*seats, judge="openrouter:z-ai/c", synthesizer=OPUS), deny=("anthropic/*",))
    assert left.config.synthesizer == left.config.judge == Panelist(model="openrouter:z-ai/c")


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"deny": ("anthropic/*",)}, "deny", "denied by 'anthropic/*': anthropic/claude-opus-4.8"),
        ({"deny": ("nothing", "*")}, "deny", "denied by '*'"),
        ({"require_open_weights": True}, "require_open_weights", "open_weights = true"),
    ],
)
def test_no_seat_left_is_refused_by_the_setting_that_binds(changed, field, said):
    with pytest.raises(ConfigError) as caught:
        left_of(config(OPUS, judge="openrouter:openai/a"), **changed)
    assert caught.value.field == field
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_router_that_picks_the_model_itself_is_denied_with_any_vendor():
    seats = config("openrouter:openrouter/auto", OPUS)
    assert [seat.model for seat in left_of(seats, deny=("openai/*",)).config.panel] == [OPUS]
    assert left_of(seats).config is seats


@pytest.mark.parametrize(
    ("model", "is_open"),
    [
        ("openrouter:z-ai/glm-5", True),
        ("openrouter:openai/gpt-oss-120b:free", True),
        ("zai:glm-5", True),
        ("local:smollm2-135m", True),
        ("ollama:qwen3:8b", True),
        ("ollama:gpt-oss:120b-cloud", False),
        ("ollama:kimi-k2.5:cloud", False),
        (OPUS, False),
        ("openrouter:~z-ai/glm-latest", False),
        ("openrouter:openrouter/auto", False),
        ("openrouter:never/heard-of", False),
        (ChatAnthropic(model="claude-opus-4-8", api_key="x"), False),
        (FakeListChatModel(responses=["x"]), False),
    ],
)
def test_open_weights_are_required_of_every_model_and_the_unknown_is_refused(model, is_open):
    seats = config("openrouter:deepseek/deepseek-v4-pro", {"model": model, "seat": "it"})
    left = left_of(seats, require_open_weights=True).config
    assert ("it" in left.seat_labels) == is_open


# Without OpenRouter.


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("key", OWN_KEYS)
def test_a_preset_answers_with_any_one_vendors_own_key(name, key):
    given = preset(name)
    left = left_of(given, {key})
    assert len(left.config.panel) == len(given.panel)
    assert all(model.startswith(f"{key}:") for model in models(left.config))
    assert all(map(is_priced, models(left.config)))
    assert left.config.limits == given.limits
    assert left.notes


@pytest.mark.parametrize("name", SHIPPED)
def test_and_with_all_of_them_every_model_that_its_vendor_serves_stays_with_it(name, shipped_profiles):
    left = apply_bans(preset(name), profiles=shipped_profiles, keyed=frozenset(OWN_KEYS), today=TODAY).config
    for before, after in zip(roles(preset(name)), roles(left), strict=True):
        served = before.model.removeprefix("openrouter:").removeprefix("~").partition("/")[0]
        # Xiaomi's own API is not among the providers.
        assert name == "free" or served == "xiaomi" or served in all_names(after, shipped_profiles)


@pytest.mark.parametrize(
    ("model", "direct"),
    [
        ("anthropic/claude-opus-4.8", "anthropic:claude-opus-4-8"),
        ("~anthropic/claude-opus-latest", "anthropic:claude-opus-4-8"),
        ("anthropic/claude-sonnet-5", "anthropic:claude-sonnet-5"),
        ("anthropic/claude-sonnet-4.6", "anthropic:claude-sonnet-4-6"),
        ("openai/gpt-5.5", "openai:gpt-5.5"),
        ("openai/gpt-5.1", "openai:gpt-5.1"),
        ("google/gemini-3-flash-preview", "google_genai:gemini-3-flash-preview"),
        ("~google/gemini-pro-latest", "google_genai:gemini-3.1-pro-preview"),
        ("deepseek/deepseek-v4-pro", "deepseek:deepseek-v4-pro"),
        ("moonshotai/kimi-k2.6", "moonshotai:kimi-k2.6"),
        ("z-ai/glm-5", "zai:glm-5"),
        ("~x-ai/grok-latest", "xai:grok-4.7"),
        ("mistralai/mistral-large-2512", "mistralai:mistral-large-2512"),
    ],
)
def test_a_model_is_asked_by_its_name_at_its_vendors_own_api(model, direct):
    left = left_of(config(f"openrouter:{model}"), set(OWN_KEYS))
    assert models(left.config) == [direct] * 3
    assert left.notes == (f"{model} asked as {direct}",)


@pytest.mark.parametrize(
    "model",
    [
        "openai/gpt-oss-120b:free",
        "openai/gpt-oss-120b",
        "openai/never-heard-of",
        "nvidia/nemotron-3-super-120b-a12b",
        "openrouter/auto",
    ],
)
def test_a_model_of_ones_own_that_no_vendor_serves_stays_for_its_missing_key_to_be_named(model):
    seats = config(f"openrouter:{model}")
    assert left_of(seats, set(OWN_KEYS)).config is seats


def test_no_vendor_is_asked_that_a_configuration_of_ones_own_does_not_name():
    seats = config(OPUS, "openrouter:google/gemini-3-flash-preview", judge=OPUS)
    left = left_of(seats, {"anthropic", "openai"}).config
    assert [seat.model for seat in left.panel] == [
        "anthropic:claude-opus-4-8",
        "openrouter:google/gemini-3-flash-preview",
    ]


def test_a_key_is_no_reason_to_leave_openrouter():
    given = preset("budget")
    assert left_of(given, {"openrouter", *OWN_KEYS}).config is given


def test_without_any_key_the_missing_one_is_named_later():
    given = preset("budget")
    assert left_of(given, set()).config is given
    assert left_of(given, {"cohere"}).config is given


def test_openrouter_denied_is_openrouter_without_a_key():
    left = left_of(preset("budget"), {"openrouter", "anthropic"}, deny=("openrouter:*",)).config
    assert all(model.startswith("anthropic:") for model in models(left))
    with pytest.raises(ConfigError, match=r"deny: .*denied by 'openrouter:\*'"):
        left_of(preset("budget"), deny=("openrouter:*",))


def test_a_ban_binds_those_who_stand_in():
    left = left_of(preset("quality"), {"anthropic", "mistralai"}, deny=("anthropic/*",)).config
    assert all(model.startswith("mistralai:") for model in models(left))
    with pytest.raises(ConfigError) as caught:
        left_of(preset("self"), {"anthropic"}, deny=("anthropic/*", "openai/*"))
    assert caught.value.field == "deny"


def test_open_weights_bind_those_who_stand_in():
    left = left_of(preset("budget"), {"anthropic", "mistralai"}, require_open_weights=True).config
    assert all(model.startswith("mistralai:") for model in models(left))


def test_a_key_for_the_seat_itself_is_enough_for_openrouter():
    seats = config({"model": OPUS, "api_key_env": "MINE"})
    assert left_of(seats, {"openai", "anthropic"}).config is seats


def test_other_servers_and_given_models_are_left_alone():
    seats = config({"model": "openrouter:x", "base_url": "http://h/v1"}, FakeListChatModel(responses=["x"]), "ollama:q")
    assert left_of(seats, {"anthropic"}).config is seats


def test_stand_ins_come_from_different_vendors_where_keys_allow():
    left = left_of(preset("budget"), {"anthropic", "mistralai", "xai"}).config
    assert len({seat.model.partition(":")[0] for seat in left.panel}) == 3


def test_a_withdrawn_model_takes_nobodys_place():
    opus = PROFILES["anthropic/claude-opus-4.8"].model_copy(update={"retires_on": TODAY})
    known = {name: one for name, one in PROFILES.items() if one.vendor != "anthropic"}
    haiku = PROFILES["anthropic/claude-haiku-4.5"]
    keyed = frozenset({"anthropic"})
    left = apply_bans(preset("quality"), profiles=known | {opus.id: opus, haiku.id: haiku}, keyed=keyed, today=TODAY)
    assert "anthropic:claude-haiku-4-5" in models(left.config)
    earlier = date(2026, 1, 1)
    before = apply_bans(
        preset("quality"), profiles=known | {opus.id: opus, haiku.id: haiku}, keyed=keyed, today=earlier
    )
    assert models(before.config).count("anthropic:claude-opus-4-8") > models(left.config).count(
        "anthropic:claude-opus-4-8"
    )


def test_what_cost_nothing_and_now_costs_is_told():
    assert "these are paid: only OpenRouter serves models for nothing" in left_of(preset("free"), {"openai"}).notes
    assert not any("paid" in note for note in left_of(preset("budget"), {"openai"}).notes)


def test_reasoning_effort_goes_no_further_than_it_is_understood():
    seats = config({"model": OPUS, "reasoning": "high"}, {"model": "openrouter:openai/gpt-5.5", "reasoning": "low"})
    left = left_of(seats, set(OWN_KEYS)).config
    assert [seat.reasoning for seat in left.panel] == [None, "low"]


@pytest.mark.parametrize("name", SHIPPED)
def test_to_settle_what_is_allowed_is_quick_and_repeatable(name):
    first = left_of(preset(name), {"anthropic"}, deny=("google/*",))
    assert left_of(preset(name), {"anthropic"}, deny=("google/*",)) == first
    assert left_of(first.config, {"anthropic"}, deny=("google/*",)).config == first.config


@pytest.mark.parametrize("direct", sorted({one.direct for one in PROFILES.values() if one.direct}))
def test_every_direct_name_is_priced_and_at_a_provider_that_takes_a_key(direct):
    assert is_priced(direct)
    assert direct.partition(":")[0] in PROVIDERS


RETIRED = {name: PROFILES[name].model_copy(update={"retires_on": TODAY}) for name in ("openai/gpt-5.5", "z-ai/glm-5")}
GPT_5, GLM_5, HAIKU = "openrouter:openai/gpt-5.5", "openrouter:z-ai/glm-5", "openrouter:anthropic/claude-haiku-4.5"


@pytest.mark.parametrize(
    ("fields", "panel", "judge"),
    [
        pytest.param({"panel": [GPT_5, HAIKU]}, [HAIKU], None, id="a seat"),
        pytest.param({"panel": [{"model": GPT_5, "fallbacks": [HAIKU]}]}, [HAIKU], None, id="its fallback lives"),
        pytest.param({"panel": [HAIKU], "judge": {"model": GPT_5, "fallbacks": [GLM_5]}}, [HAIKU], HAIKU, id="a judge"),
        pytest.param(
            {"panel": [{"model": GPT_5, "base_url": "http://10.0.0.7/v1"}]}, [GPT_5], None, id="served by somebody else"
        ),
    ],
)
def test_a_model_that_its_vendor_has_retired_is_not_asked(fields, panel, judge):
    part = apply_bans(FusionConfig(**fields), profiles={**PROFILES, **RETIRED}, keyed={"openrouter"}, today=TODAY)
    assert [seat.model for seat in part.config.panel] == panel
    assert (part.config.judge and part.config.judge.model) == judge
    assert any("retired on 2026-11-22" in note for note in part.notes) == (panel != [GPT_5])


def test_where_every_seat_is_retired_the_error_says_so_in_a_line():
    with pytest.raises(ConfigError) as caught:
        apply_bans(
            FusionConfig(panel=[{"model": GPT_5, "fallbacks": [GLM_5]}]),
            profiles={**PROFILES, **RETIRED},
            keyed={"openrouter"},
            today=TODAY,
        )
    assert str(caught.value).startswith("panel: leaves no model on the panel: retired on 2026-11-22")
    assert "\n" not in str(caught.value)
