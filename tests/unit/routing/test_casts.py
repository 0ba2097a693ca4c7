"""Judge and writer of a panel that names neither: by what is known of models in these roles, and told."""

from datetime import date

import pytest

from fusion_tool.api.tool import FusionTool
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.estimate import estimate
from fusion_tool.models.providers import PROVIDERS
from fusion_tool.routing import decide
from fusion_tool.routing.candidates import rejection_rule
from fusion_tool.routing.casts import cast_roles
from fusion_tool.routing.profiles import CastScore

TODAY = date(2026, 11, 29)
OPUS, GPT, MINI = "anthropic/claude-opus-5.5", "openai/gpt-6.1-sol", "openai/gpt-6-luna"
KIMI, GLM, M3 = "moonshotai/kimi-k2.6", "z-ai/glm-5.2", "minimax/minimax-m3"
DEEPSEEK, LITE = "deepseek/deepseek-v4-pro", "google/gemini-3.5-flash-lite"
STRONG = (f"openrouter:{GPT}", f"openrouter:{OPUS}")
ALL_KEYS = frozenset(PROVIDERS)


@pytest.fixture(autouse=True)
def _today(shipped_profiles, monkeypatch):  # noqa: ARG001 - what is shipped, on a fixed day
    monkeypatch.setattr(decide, "_today", lambda: TODAY)


def cast(panel, profiles, *, keyed=ALL_KEYS, unavailable=(), **fields):
    config = FusionConfig(panel=panel, health=False, **fields)
    rejection_of = rejection_rule(config, profiles=profiles, keyed=keyed)
    return cast_roles(config, profiles=profiles, rejection_of=rejection_of, unavailable=unavailable, today=TODAY)


def stages(config):
    return tuple(role and role.model.removeprefix("openrouter:") for role in (config.judge, config.synthesizer))


def at(provider, *models):
    return tuple(f"{provider}:{model}" for model in models)


@pytest.mark.parametrize(
    ("panel", "fields", "expected"),
    [
        pytest.param(STRONG, {}, (KIMI, GLM), id="the best cast that was measured, of families without a seat"),
        pytest.param(STRONG, {"strategy": "cascade"}, (KIMI, GLM), id="whatever the strategy"),
        pytest.param(at("openrouter", LITE, MINI), {}, (LITE, M3), id="nobody dearer than the dearest seat"),
        pytest.param(at("openrouter", KIMI, DEEPSEEK), {}, (DEEPSEEK, M3), id="another family than the seats'"),
        pytest.param(at("openrouter", GLM, KIMI, M3), {}, (KIMI, GLM), id="the seats' own models"),
        pytest.param(
            ("openai:gpt-6.1-sol", "anthropic:claude-opus-5.5"),
            {},
            ("openai:gpt-6.1-sol", "anthropic:claude-opus-5.5"),
            id="at vendors nobody else, and a model is known by the one that it succeeds",
        ),
        pytest.param(
            ("openai:gpt-5.5", "mistralai:mistral-large-2512"),
            {},
            ("openai:gpt-5.5", "mistralai:mistral-large-2512"),
            id="rather an unknown writer than a bad one",
        ),
        pytest.param(STRONG, {"synthesizer": STRONG[1]}, (KIMI, OPUS), id="a writer who is named gets a judge"),
        pytest.param(STRONG, {"judge": STRONG[1]}, (OPUS, None), id="a judge who is named also writes"),
        pytest.param(STRONG, {"strategy": "solo"}, (None, None), id="nobody compares"),
        pytest.param(at("openrouter", "v/a", "v/b"), {}, (None, None), id="nothing is known, not even a price"),
        pytest.param(at("ollama", "qwen3:8b", "llama3"), {}, (None, None), id="on this machine nothing is known"),
        pytest.param(at("openrouter", GPT), {}, (None, None), id="one model"),
        pytest.param(at("openrouter", GPT, GPT), {}, (None, None), id="one model twice"),
        pytest.param(STRONG, {"deny": ("z-ai/*",)}, ("google/gemini-3.1-pro-preview", M3), id="denied"),
        pytest.param(STRONG, {"candidates": "configured"}, (GPT, OPUS), id="a server's caller"),
    ],
)
def test_who_judges_and_who_writes(shipped_profiles, panel, fields, expected):
    assert stages(cast(panel, shipped_profiles, **fields).config) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"privacy": "local"},
        {"documents": {"path": ".", "send_to": "local"}},
    ],
)
def test_nothing_leaves_the_machine_unasked(shipped_profiles, fields):
    panel = ("local:smollm2-135m", "local:qwen2.5-coder-1.5b", *STRONG)
    config = cast(panel, shipped_profiles, **fields).config
    assert {role.model.partition(":")[0] for role in (config.judge_or_default, config.synthesizer_or_default)} == {
        "local"
    }


def test_servers_of_ones_own_judge_and_write_themselves(shipped_profiles):
    own = [
        Panelist(model=name, base_url="http://localhost:8000/v1") for name in ("openrouter:v/a", f"openrouter:{GLM}")
    ]
    config = cast(own, shipped_profiles).config
    assert {config.judge.base_url, config.synthesizer.base_url} == {"http://localhost:8000/v1"}
    assert config.synthesizer.model == f"openrouter:{GLM}"


def test_open_weights_are_asked_of_judge_and_writer_too(shipped_profiles):
    config = cast(at("openrouter", GLM, KIMI), shipped_profiles, require_open_weights=True).config
    for role in (config.judge, config.synthesizer):
        assert shipped_profiles[role.model.removeprefix("openrouter:")].open_weights


def test_whoever_fails_at_present_or_is_retired_is_not_chosen(shipped_profiles):
    assert stages(cast(STRONG, shipped_profiles, unavailable={f"openrouter:{GLM}"}).config)[1] != GLM
    retired = {**shipped_profiles, KIMI: shipped_profiles[KIMI].model_copy(update={"retires_on": TODAY})}
    assert stages(cast(STRONG, retired).config)[0] != KIMI


def test_a_seat_keeps_its_settings_and_others_fall_back_to_the_first_seat(shipped_profiles):
    seats = (Panelist(model=f"openrouter:{GLM}", temperature=0.1, seat="x"), *at("openrouter", KIMI, M3))
    writer = cast(seats, shipped_profiles).config.synthesizer
    assert (writer.temperature, writer.seat) == (0.1, None)
    assert cast(STRONG, shipped_profiles).config.judge.fallbacks == STRONG[:1]


def test_the_choice_is_the_same_whatever_the_order_of_the_profiles(shipped_profiles):
    backwards = dict(reversed(shipped_profiles.items()))
    assert stages(cast(STRONG, backwards).config) == stages(cast(STRONG, shipped_profiles).config) == (KIMI, GLM)


def measured(shipped_profiles, **changes):
    rows = [
        CastScore(score=score, benchmark="own", source="here", date=TODAY, judge=judge, measured=True, **changes)
        for judge, score in (("openai/gpt-6.1-sol", 90), (KIMI, 50))
    ]
    writer = shipped_profiles["anthropic/claude-sonnet-5.5"]
    return {**shipped_profiles, writer.id: writer.model_copy(update={"writes": tuple(rows)})}


def test_ones_own_measurements_count_first_until_they_are_stale(shipped_profiles):
    panel = at("openrouter", GPT, "anthropic/claude-sonnet-5.5", "v/a")
    assert stages(cast(panel, measured(shipped_profiles)).config) == (GPT, "anthropic/claude-sonnet-5.5")
    stale = measured(shipped_profiles, stale_since=TODAY)
    assert cast(panel, stale).config == cast(panel, shipped_profiles).config
    assert cast(panel, stale).reason.endswith("not used: results of models that have changed since")


async def test_plan_and_estimate_tell_who_was_chosen_and_how_old_that_is_known():
    config = FusionConfig(panel=STRONG, health=False)
    decision = await decide.decide(config, "Q?", "", keyed=ALL_KEYS)
    told = (
        "chosen as nobody was named: kimi-k2.6 judges and glm-5.2 writes, together 73.4 points (DRACO, five seats, 161"
    )
    assert [note for note in decision.notes if note.startswith(told)]
    bill = estimate(config, "Q?")
    assert [row.model for row in bill.rows][-2:] == [f"openrouter:{KIMI}", f"openrouter:{GLM}"]
    assert any(line.startswith(told) for line in bill.assumptions)
    assert stages(decision.config) == (KIMI, GLM)


async def test_without_the_key_nobody_else_is_asked():
    decision = await decide.decide(FusionConfig(panel=STRONG, health=False), "Q?", "", keyed=frozenset())
    assert stages(decision.config) == (GPT, OPUS)


def test_one_model_alone_is_told_once_who_else_is_at_hand(caplog):
    FusionTool(FusionConfig(panel=STRONG[:1]))
    FusionTool(FusionConfig(panel=STRONG))
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        f"with a second one openrouter:{KIMI} could judge and openrouter:{GLM} write"
    ]
