"""The presets: these models, priced, and none dead where one vendor is."""

import re

import pytest

from fusion_tool.budget.pricing import cost_of, is_priced
from fusion_tool.config.presets import (
    counterpart_of,
    preset,
    preset_description,
    preset_names,
    shipped_roles,
    with_models_of,
)
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.graph.estimate import estimate
from fusion_tool.routing.profiles import profile_of

ON_OPENROUTER = ["budget", "value", "quality", "best", "frontier", "self", "fast", "free"]
CURRENT = ["value", "best", "fast"]
PUBLISHED = ["budget", "quality", "frontier", "self"]
OPUS = "anthropic/claude-opus-4.8"
GEMINI_PRO = "google/gemini-3.1-pro-preview"


def roles(name):
    config = preset(name)
    return [*config.panel, config.judge_or_default, config.synthesizer_or_default]


def slugs(name):
    return [model for role in roles(name) for model in (role.model, *role.fallbacks)]


def vendor(model):
    return model.removeprefix("openrouter:").removeprefix("~").split("/")[0]


def test_the_presets_there_are():
    assert preset_names() == (*ON_OPENROUTER, "local", "ollama")
    assert all(preset_description(name) for name in preset_names())


def test_an_unknown_one_names_the_others():
    with pytest.raises(ConfigError, match="there are budget, value") as caught:
        preset("cheap")
    assert caught.value.field == "preset"


@pytest.mark.parametrize(
    ("name", "panel", "judge"),
    [
        ("budget", ["google/gemini-3-flash-preview", "moonshotai/kimi-k2.6", "deepseek/deepseek-v4-pro"], OPUS),
        (
            "quality",
            ["~anthropic/claude-opus-latest", "~openai/gpt-latest", "~google/gemini-pro-latest"],
            "~anthropic/claude-opus-latest",
        ),
        ("frontier", ["anthropic/claude-fable-5", "openai/gpt-5.5"], OPUS),
        ("self", [OPUS, OPUS], OPUS),
    ],
)
def test_the_models_of_the_contract(name, panel, judge):
    config = preset(name)
    assert [seat.model for seat in config.panel] == [f"openrouter:{slug}" for slug in panel]
    assert config.judge.model == config.synthesizer.model == f"openrouter:{judge}"


@pytest.mark.parametrize(("name", "calls"), [("fast", 4), ("budget", 4), ("quality", 10), ("frontier", 10)])
def test_a_preset_says_how_deep_a_seat_may_research(name, calls):
    config = preset(name)
    assert config.max_tool_calls == calls
    assumptions = estimate(config, "When?").assumptions
    assert any(text.startswith(f"every seat makes all {calls} tool calls") for text in assumptions)


@pytest.mark.parametrize("name", CURRENT)
def test_a_current_preset_has_every_role_from_a_model_of_its_own(name):
    models = [role.model for role in roles(name)]
    assert len(set(models)) == len(models)
    assert len({vendor(seat.model) for seat in preset(name).panel}) == 3
    fallbacks = [model for role in roles(name) for model in role.fallbacks]
    assert not set(fallbacks) & set(models)
    assert len(set(fallbacks)) == len(fallbacks)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_preset_lets_no_weak_writer_stand_in(name):
    config = preset(name)
    for role in (config.judge, config.synthesizer):
        assert not any("gpt" in model for model in role.fallbacks)
        assert not set(role.fallbacks) & {other.model for other in roles(name)}


@pytest.mark.parametrize("name", ["budget", "value", "frontier", "self", "fast"])
def test_whoever_stands_in_for_a_writer_was_measured_as_one(name, shipped_profiles):
    """Within 5 % of the best writer, as is asked of those who are chosen for a panel without one."""
    rows = {model.id: model.writes for model in shipped_profiles.values() if model.writes}
    under_one_judge = {writer: row.score for writer, casts in rows.items() for row in casts if row.judge == GEMINI_PRO}
    fallbacks = [model.removeprefix("openrouter:") for model in preset(name).synthesizer.fallbacks]
    assert fallbacks
    assert all(under_one_judge[model] >= 0.95 * max(under_one_judge.values()) for model in fallbacks)


def test_every_preset_says_its_kind_and_day():
    assert all(preset_description(name).endswith("(current, 2026-11-29)") for name in CURRENT)
    assert all(preset_description(name).endswith("(published, 2026-08-22)") for name in PUBLISHED)


def test_the_defaults_bill_is_no_higher_than_that_of_its_first_fallbacks():
    config = preset("budget")
    # Compared, as both change with every word of a prompt.
    first = [
        role.model_copy(update={"fallbacks": ("openrouter:openai/gpt-5.5",)})
        for role in (config.judge, config.synthesizer)
    ]
    before = estimate(config.model_copy(update={"judge": first[0], "synthesizer": first[1]}), "When?")
    bill = estimate(config, "When?")
    assert bill.expected.usd <= before.expected.usd
    assert bill.worst.usd <= before.worst.usd


@pytest.mark.parametrize(
    ("name", "other"), [("budget", "value"), ("quality", "best"), ("frontier", "best"), ("self", None)]
)
def test_a_preset_has_a_counterpart_of_the_other_kind(name, other):
    assert counterpart_of(preset(name)) == other
    assert counterpart_of(FusionConfig(panel=["test:a"])) is None
    if other is not None:
        copy = with_models_of(other, preset(name).model_copy(update={"follow_up": True}))
        assert (copy.panel, copy.judge, copy.follow_up) == (preset(other).panel, preset(other).judge, True)
        assert counterpart_of(copy) is not None


def test_value_is_the_cheapest_trio_of_families_near_the_best(shipped_profiles):
    points = {
        model.id: rows[0].score for model in shipped_profiles.values() if (rows := model.scores.get("general", ()))
    }
    others = {profile_of(role.model, shipped_profiles).family for role in roles("value")[3:]}
    field = [name for name, score in points.items() if score >= max(points.values()) * 2 / 3]
    by_price = sorted(field, key=lambda name: cost_of(f"openrouter:{name}", input_tokens=3, output_tokens=1)[0])
    trio = {}
    for name in by_price:
        if (family := shipped_profiles[name].family) not in others:
            trio.setdefault(family, name)
    assert [seat.model for seat in preset("value").panel] == [f"openrouter:{name}" for name in list(trio.values())[:3]]


def test_fast_has_a_quorum_of_two_with_grace():
    limits = preset("fast").limits
    assert limits.quorum == 2
    assert limits.grace_seconds > 0
    assert len(preset("fast").panel) == 3


def test_free_is_free_and_of_three_families():
    assert all(slug.endswith(":free") for slug in slugs("free"))
    assert len({vendor(seat.model) for seat in preset("free").panel}) == 3


def test_local_needs_no_key_and_no_network():
    config = preset("local:smollm2")
    assert set(slugs("local:smollm2")) == {"local:smollm2-135m"}
    assert (config.search, config.bash) == (None, "off")
    assert len({(seat.temperature, seat.seed) for seat in config.panel}) == len(config.panel) == 3


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [({}, "smollm2-135m"), ({"smollm2-135m": 1}, "smollm2-135m"), ({"smollm2-135m": 1, "own": 3, "small": 2}, "own")],
)
def test_local_takes_the_best_installed_model_in_every_role(tmp_path, monkeypatch, installed, chosen):
    monkeypatch.setattr("fusion_tool.models.local.catalog.data_path", tmp_path.joinpath)
    (tmp_path / "models").mkdir()
    for name, size in installed.items():
        (tmp_path / "models" / f"{name}.gguf").write_bytes(bytes(size))
    assert {role.model for role in roles("local")} == {f"local:{chosen}"}


@pytest.mark.parametrize(("name", "model"), [("local:qwen", "qwen2.5-coder-1.5b"), ("local:/m/x.gguf", "/m/x.gguf")])
def test_a_local_model_can_be_named(name, model):
    assert set(slugs(name)) == {f"local:{model}"}


@pytest.mark.parametrize("name", ON_OPENROUTER)
def test_every_model_has_a_price(name):
    for model in slugs(name):
        assert re.fullmatch(r"openrouter:~?[a-z0-9-]+/[a-z0-9.-]+(:free)?", model)
        assert is_priced(model), model
        cost, source = cost_of(model, input_tokens=10_000, output_tokens=1_000)
        assert source == "list_price"
        assert (cost == 0) == model.endswith(":free"), model


@pytest.mark.parametrize("name", ON_OPENROUTER)
def test_the_loss_of_any_one_vendor_leaves_every_role_filled(name):
    for lost in {vendor(model) for model in slugs(name)}:
        for role in roles(name):
            assert any(vendor(model) != lost for model in (role.model, *role.fallbacks)), (lost, role)


@pytest.mark.parametrize("name", [*ON_OPENROUTER, "local"])
def test_a_preset_is_plain_data(name):
    assert FusionConfig.model_validate(preset(name).model_dump(mode="json")) == preset(name)


def test_a_presets_roles_are_known_again_and_nobody_elses():
    assert all(role in shipped_roles() for name in ON_OPENROUTER for role in roles(name))
    assert preset("budget").panel[0].model_copy(update={"temperature": 0.5}) not in shipped_roles()
