"""What OpenRouter's clients send to its hosted Fusion, and what it means here."""

import pytest

from fusion_tool import ConfigError
from fusion_tool.config.presets import load_presets
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.models import ModelCatalog
from fusion_tool.servers.openai.openrouter import parse_fusion_plugin, take_fusion_tool
from fusion_tool.servers.openai.request import parse_request
from fusion_tool.servers.overrides import RunOverrides

BODY = {"model": "openrouter/fusion", "messages": [{"role": "user", "content": "Why?"}]}
READ = {"type": "function", "function": {"name": "read_file", "parameters": {}}}
WEB = [{"type": "openrouter:web_search"}, {"type": "openrouter:web_fetch"}]

FIELDS = [
    ({}, {}),
    ({"analysis_models": ["google/x"], "max_tool_calls": 2}, {"models": ["google/x"], "max_tool_calls": 2}),
    ({"max_completion_tokens": 16000}, {"max_tokens": 16000}),
    ({"preset": "general-high"}, {"preset": "quality"}),
    ({"preset": "general-budget"}, {"preset": "budget"}),
    ({"preset": "general-fast"}, {"preset": "fast"}),
    ({"preset": "frontier"}, {"preset": "frontier"}),
    ({"enabled": True}, {}),
    ({"enabled": False}, {"strategy": "solo"}),
    ({"tools": []}, {"tools": False}),
    ({"tools": WEB}, {"tools": True}),
    ({"temperature": None, "reasoning": None, "model": None}, {}),
]
REFUSED = [
    ({"temperature": 0.5}, "temperature", "each seat has the operator's"),
    ({"reasoning": {"effort": "high"}}, "reasoning", "each seat has the operator's"),
    ({"cache_control": {"type": "ephemeral"}}, "cache_control", "is not understood here; leave it out"),
    ({"analysisModels": ["a"]}, "analysisModels", "is not understood here; leave it out"),
    ({"enabled": "no"}, "enabled", "is not understood here"),
    ({"tools": WEB[:1]}, "tools", "or \\[\\] for none"),
    ({"tools": [WEB[0], WEB[1] | {"parameters": {"engine": "exa"}}]}, "tools", "without parameters"),
    ({"tools": [{"type": []}]}, "tools", "without parameters"),
    ({"tools": "web"}, "tools", "without parameters"),
]


@pytest.mark.parametrize(("fields", "meaning"), FIELDS, ids=str)
def test_the_plugin_and_the_tool_say_the_same(fields, meaning):
    assert parse_fusion_plugin([{"id": "fusion", **fields}]) == meaning
    assert take_fusion_tool([READ, {"type": "openrouter:fusion", "parameters": fields}]) == ([READ], meaning)


@pytest.mark.parametrize(("fields", "field", "cure"), REFUSED, ids=str)
def test_what_cannot_be_honoured_is_refused_by_name(fields, field, cure):
    with pytest.raises(ConfigError, match=cure) as refused:
        parse_fusion_plugin([{"id": "fusion", **fields}])
    assert refused.value.field == f"plugins.0.{field}"
    with pytest.raises(ConfigError, match=cure) as refused:
        take_fusion_tool([READ, {"type": "openrouter:fusion", "parameters": fields}])
    assert refused.value.field == f"tools.1.parameters.{field}"


def test_the_plugins_model_compares_and_writes_the_tools_compares():
    assert parse_fusion_plugin([{"id": "fusion", "model": "y"}]) == {"judge": "y", "synthesizer": "y"}
    tool = {"type": "openrouter:fusion", "parameters": {"model": "y"}}
    assert take_fusion_tool([tool]) == ([], {"judge": "y"})


@pytest.mark.parametrize(
    ("plugins", "field"),
    [
        ([{"id": "web"}], "plugins.0.id"),
        ([{"analysis_models": []}], "plugins.0.id"),
        ([{"id": "fusion"}, {"id": "web"}], "plugins.1.id"),
        ([{"id": "fusion", "max_tool_calls": 1}, {"id": "fusion", "max_tool_calls": 2}], "plugins.1"),
        ({"id": "fusion"}, "plugins"),
        (["fusion"], "plugins"),
    ],
)
def test_another_plugin_is_refused(plugins, field):
    with pytest.raises(ConfigError) as refused:
        parse_fusion_plugin(plugins)
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("tools", "field"),
    [
        ([{"type": "openrouter:web_search"}], "tools.0.type"),
        ([READ, {"type": "openrouter:fusion"}, {"type": "openrouter:fusion"}], "tools.2"),
        ([{"type": "openrouter:fusion", "parameters": ["a"]}], "tools.0"),
        ([{"type": "openrouter:fusion", "analysis_models": ["a"]}], "tools.0"),
    ],
)
def test_another_of_its_tools_is_refused(tools, field):
    with pytest.raises(ConfigError) as refused:
        take_fusion_tool(tools)
    assert refused.value.field == field


def test_the_tool_goes_over_the_plugin_and_the_fusion_field_over_both():
    more = {
        "plugins": [{"id": "fusion", "analysis_models": ["a"], "max_tool_calls": 1}],
        "tools": [READ, {"type": "openrouter:fusion", "parameters": {"max_tool_calls": 2, "model": "b"}}],
        "fusion": {"judge": "c"},
    }
    asked = parse_request(BODY | more)
    assert asked.fusion == RunOverrides(models=["a"], max_tool_calls=2, judge="c")
    assert [tool["function"]["name"] for tool in asked.tools] == ["read_file"]


MODELS = {
    "fusion": None,
    "fusion-agent": None,
    "fusion-fast": "fast",
    "openrouter/fusion": None,
    "openrouter/fusion-flash": "fast",
    "openrouter/fusion:free": "free",
    "openrouter/fusion-flash:free": "free",
}


@pytest.mark.parametrize("model", MODELS)
def test_its_models_are_the_operators(model):
    assert ModelCatalog(load_presets(["fast", "free"])).preset_of(model) == MODELS[model]


@pytest.mark.parametrize(
    "model",
    ["openrouter/fusion-flash", "openrouter/fusion:free", "openrouter/fusion:nitro", "openrouter/auto", "fusion:free"],
)
def test_a_model_that_the_operator_does_not_offer_names_those_that_are_there(model):
    with pytest.raises(ApiError, match=f"no model '{model}'.*there are fusion, fusion-agent, fusion-budget") as refused:
        ModelCatalog(load_presets(["budget"])).preset_of(model)
    assert (refused.value.status, refused.value.param) == (404, "model")
