"""What a client of Agent Server may wish for, and what comes of it."""

import pytest

from fusion_tool import build_graph
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.errors import ConfigError
from fusion_tool.servers.agent_server import (
    context_schema,
    graph_factory,
    load_operator_config,
    offered_presets,
)
from fusion_tool.servers.overrides import OPERATOR_ONLY, OVERRIDABLE, LimitOverrides, reject_unoffered

OPERATOR = FusionConfig(
    panel=("openrouter:a/one", "openrouter:b/two"), strategy="cascade", bash="off", limits=Limits(usd=1, seconds=60)
)


def test_the_form_offers_what_a_caller_may_set_and_nothing_else():
    form = context_schema(OPERATOR).model_json_schema()
    assert set(form["properties"]) == set(OVERRIDABLE)
    assert set(LimitOverrides.model_fields) == set(Limits.model_fields)
    assert all(one.get("description") or "$ref" in str(one) for one in form["properties"].values())


def test_a_form_that_was_not_filled_in_leaves_everything_as_configured():
    context = context_schema(OPERATOR)
    untouched = dict.fromkeys(context.model_fields)
    assert context() == context(**untouched) == context(limits=dict.fromkeys(Limits.model_fields)) == OPERATOR


def test_wishes_are_fulfilled_within_the_operators_settings():
    config = context_schema(OPERATOR)(
        models=["two"], strategy="solo", limits={"seconds": 9}, excluded_domains=["a.example"]
    )
    assert isinstance(config, FusionConfig)
    assert [seat.model for seat in config.panel] == ["openrouter:b/two"]
    assert (config.strategy, config.bash) == ("solo", "off")
    assert (config.limits.usd, config.limits.seconds) == (1, 9)
    assert config.excluded_domains == ("a.example",)


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"models": ["openai:gpt-5.5"]}, "models.0"),
        ({"limits": {"usd": 2}}, "limits.usd"),
        ({"synthesizer": "nobody"}, "synthesizer"),
        ({"preset": "ollama"}, "preset"),
        ({"preset": ["budget"]}, "preset"),
        ({"documents": "/etc"}, "documents"),
    ],
)
def test_what_goes_beyond_them_is_refused(wishes, field):
    with pytest.raises(ConfigError) as refused:
        context_schema(OPERATOR)(**wishes)
    assert refused.value.field == field


def test_without_an_operators_file_a_preset_stands_in(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    context = context_schema(None)
    with pytest.raises(ConfigError, match=r"set OPENROUTER_API_KEY, or a vendor.s key"):
        context()
    assert context(preset="fast").panel == preset("fast").panel
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    assert context() == preset("budget")


def test_no_preset_is_offered_that_would_have_to_ask_somebody():
    assert "ollama" not in offered_presets()
    assert "local" in offered_presets()


@pytest.mark.parametrize("name", sorted(OPERATOR_ONLY))
def test_what_is_the_operators_is_refused_by_name(name):
    with pytest.raises(ConfigError, match=f"^{name}: only the operator of this server may set it"):
        reject_unoffered([name], OVERRIDABLE)


@pytest.mark.parametrize(("name", "near"), [("modell", "models"), ("excluded_domain", "excluded_domains"), ("x", None)])
def test_what_does_not_exist_is_refused_with_what_comes_nearest(name, near):
    with pytest.raises(ConfigError) as refused:
        reject_unoffered(["models", name], OVERRIDABLE)
    hint = f" (did you mean '{near}'?)" if near else ""
    assert str(refused.value) == f"{name}: no such setting{hint}; a caller may set {', '.join(OVERRIDABLE)}"


def test_a_file_that_is_broken_already_is_refused_before_there_is_a_server(user_folder):
    (user_folder / "fusion.toml").write_text("panel = [")
    with pytest.raises(ConfigError, match=r"fusion.toml is not valid TOML"):
        graph_factory(build_graph)


def test_the_operators_file_is_optional_and_checked(user_folder):
    file = user_folder / "fusion.toml"
    assert load_operator_config() is None
    file.write_text('panel = ["openrouter:a/one"]\nbash = "off"\n')
    assert load_operator_config().bash == "off"
    file.write_text('panel = ["openrouter:a/one"]\nbush = "off"\n')
    with pytest.raises(ConfigError, match="bush: no such setting"):
        load_operator_config()
