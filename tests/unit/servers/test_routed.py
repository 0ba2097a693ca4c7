"""`auto` for a hosted caller: whatever the operator's keys open, only whom he configured is asked."""

import pytest

from fusion_tool.config.presets import load_presets, preset
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import PROVIDERS
from fusion_tool.routing.candidates import configured_models
from fusion_tool.routing.decide import decide
from fusion_tool.servers.agent_server import context_schema
from fusion_tool.servers.mcp.tool import parse_arguments
from fusion_tool.servers.overrides import apply_overrides, parse_overrides
from fusion_tool.testing import fake_config

OPUS, GPT, GLM = "openrouter:anthropic/claude-opus-4.6", "openrouter:openai/gpt-5.4", "openrouter:z-ai/glm-5"
GEMINI, OWN = "openrouter:google/gemini-3.1-pro-preview", "own:llama"
PROXY = "http://10.0.0.7:4000/v1"
CODING = "Fix this Python function: it raises IndexError on an empty list.\n\ndef first(xs):\n    return xs[0]\n"
QUESTIONS = (
    CODING,
    "Thoughts?",
    "Is nuclear power worth its price, compared with wind and storage? Prove the trade-off, and name all sides.",
    "Prove that there are infinitely many primes p with p = 3 mod 4, and give the smallest above 10000.",
    "What is the capital of Peru?",
)
OPERATORS = {
    "one model": FusionConfig(panel=[GEMINI]),
    "two, a judge, fallbacks": FusionConfig(panel=[{"model": GEMINI, "fallbacks": [OPUS]}, OWN], judge=GPT),
    "their vendors' own": FusionConfig(panel=["openai:gpt-5.4", "anthropic:claude-opus-4-6"]),
    "a proxy": FusionConfig(panel=[{"model": "openai:gpt-5.4", "base_url": PROXY}, {"model": GEMINI}, OPUS]),
    "nobody that is known": FusionConfig(panel=[OWN, "own:mistral"]),
    "the default preset": preset("budget"),
}
FACES = {
    "HTTP": lambda operator: apply_overrides(operator, parse_overrides({"strategy": "auto"})),
    "MCP": lambda operator: parse_arguments({"question": "q", "strategy": "auto"}, takes_run_id=False).config_for(
        operator
    ),
    "Agent Server": lambda operator: context_schema(operator)(strategy="auto"),
}
KEYED = frozenset(PROVIDERS)


def asked(config):
    """All that a run may ask, as it is asked: model, address, the key's name."""
    return {(name, one.base_url, one.api_key_env) for name, one in configured_models(config).items()}


async def decided(config, question=CODING):
    return await decide(config, question, "", keyed=KEYED)


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("question", QUESTIONS)
async def test_no_model_outside_the_operators_is_in_the_plan(face, operator, question):
    configuration = OPERATORS[operator]
    decision = await decided(FACES[face](configuration), question)
    assert decision.choice is not None
    assert asked(decision.config) <= asked(configuration)


@pytest.mark.parametrize("face", FACES)
async def test_the_router_does_choose_among_them(face):
    decision = await decided(FACES[face](OPERATORS["two, a judge, fallbacks"]))
    assert decision.config.strategy == "solo"
    assert decision.config.panel[0].model in {GEMINI, OPUS, GPT}


async def test_what_is_not_the_operators_is_told_why():
    choice = (await decided(FACES["HTTP"](OPERATORS["one model"]))).choice
    told = {one.model: one.rejection for one in choice.candidates}
    assert told[GLM] == "is not one of the configured models"


@pytest.mark.parametrize("face", FACES)
async def test_the_operators_own_auto_stands(face):
    operator = FusionConfig(panel=[GEMINI], strategy="auto")
    config = FACES[face](operator)
    assert config == operator
    assert (await decided(config)).config.panel[0].model == GLM


@pytest.mark.parametrize(
    "wish", [{"models": [GPT]}, {"preset": "budget"}, {"models": [GPT], "strategy": "auto"}], ids=str
)
async def test_a_wish_narrows_the_operators_own_auto(wish):
    operator = FusionConfig(panel=[GPT, GEMINI], strategy="auto")
    config = apply_overrides(operator, parse_overrides({"strategy": "auto", **wish}), presets=load_presets(["budget"]))
    named = {GPT} if "models" in wish else {name for name, *_ in asked(preset("budget"))}
    assert {name for name, *_ in asked((await decided(config)).config)} <= named


async def test_no_wish_widens_what_the_operator_closed():
    operator = FusionConfig(panel=[GEMINI], strategy="auto", candidates="configured")
    for wish in ({}, {"strategy": "auto"}, {"quality": 0.5}):
        assert apply_overrides(operator, parse_overrides(wish)).candidates == "configured"


async def test_a_configured_model_keeps_its_address_and_is_nobodys_fallback_elsewhere():
    proxied = Panelist(model="openai:gpt-5.4", base_url=PROXY, api_key_env="PROXY_KEY", temperature=0.1)
    config = FusionConfig(panel=[OWN], judge=proxied, strategy="auto", candidates="configured")
    only = await decide(config, CODING, "", keyed=frozenset())
    assert only.config.panel == (proxied,)
    more = (await decided(config.model_copy(update={"panel": (Panelist(model=GEMINI), Panelist(model=OPUS))}))).config
    assert not any("openai:gpt-5.4" in one.fallbacks for one in (*more.panel, more.judge, more.synthesizer))


def test_a_model_that_was_given_as_an_object_is_reached_by_no_name():
    assert configured_models(fake_config()) == {}
