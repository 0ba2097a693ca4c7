"""From a panelist to a chat model; each key goes to its own provider alone."""

import os

import pytest
from langchain_core.language_models import FakeListChatModel

from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.factory import chat_model, check_models
from fusion_tool.models.providers import with_model
from tests.scripted_server import ScriptedServer
from tests.scripted_server.web import Page
from tests.unit.models.models import asked, panelist

ATTEMPTS = 4
OURS = ("OPENROUTER_API_KEY", "MY_KEY")


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """An environment full of other providers' secrets."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "OPENROUTER_", "OLLAMA_", "LANGSMITH_")):
            monkeypatch.delenv(name)
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_ORGANIZATION", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, f"foreign-{name}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "foreign-ANTHROPIC_API_KEY")
    for name in ("MISTRAL_API_KEY", "ZAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in OURS:
        monkeypatch.setenv(name, f"own-{name}")


def sent(scripted):
    """Everything of the last request in which a secret could hide."""
    request = scripted.requests[-1]
    return f"{dict(request.headers)} {dict(request.body)} {request.path} {request.query}"


def authorization(scripted):
    return scripted.requests[-1].headers["authorization"]


@pytest.mark.loopback
async def test_openrouters_key_goes_to_openrouter(scripted, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"{scripted.root}/api/v1")
    await asked(Panelist(model="openrouter:vendor/a"))
    assert scripted.requests[-1].path == "/api/v1/chat/completions"
    assert authorization(scripted) == "Bearer own-OPENROUTER_API_KEY"
    assert "foreign" not in sent(scripted)
    assert "MY_KEY" not in sent(scripted)


@pytest.mark.loopback
async def test_an_endpoint_of_ones_own_gets_no_key_unasked(scripted):
    await asked(panelist(scripted))
    assert authorization(scripted) == "Bearer none"
    assert "foreign" not in sent(scripted)
    assert "own-" not in sent(scripted)


@pytest.mark.loopback
@pytest.mark.parametrize("model", ["openai:gpt", "openrouter:vendor/a", "anthropic:claude", "gpt"])
async def test_nor_where_its_model_is_named_like_a_providers(scripted, model):
    await asked(Panelist(model=model, base_url=scripted.url))
    assert authorization(scripted) == "Bearer none"
    assert "foreign" not in sent(scripted)
    assert "own-" not in sent(scripted)


@pytest.mark.loopback
async def test_an_endpoint_of_ones_own_gets_the_key_that_is_named_for_it(scripted):
    await asked(panelist(scripted, api_key_env="MY_KEY"))
    assert authorization(scripted) == "Bearer own-MY_KEY"
    assert "foreign" not in sent(scripted)
    assert "OPENROUTER" not in sent(scripted)


@pytest.mark.loopback
async def test_a_key_that_is_named_wins_at_openrouter_too(scripted, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    await asked(Panelist(model="openrouter:vendor/a", api_key_env="MY_KEY"))
    assert authorization(scripted) == "Bearer own-MY_KEY"


@pytest.mark.loopback
async def test_ollama_gets_no_key(scripted, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", scripted.root)
    await asked(Panelist(model="ollama:qwen3:8b"))
    assert scripted.requests[-1].model == "qwen3:8b"
    assert authorization(scripted) == "Bearer none"


@pytest.mark.loopback
async def test_openais_organization_and_project_stay_with_openai(scripted):
    await asked(panelist(scripted))
    headers = scripted.requests[-1].headers
    assert not headers.get("openai-organization")
    assert not headers.get("openai-project")


@pytest.mark.loopback
async def test_openais_own_endpoint_and_proxy_do_not_redirect_others(scripted, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("OPENAI_API_BASE", "http://192.0.2.1/v1")
    monkeypatch.setenv("OPENAI_PROXY", "http://192.0.2.1:3128")
    await asked(panelist(scripted))
    assert scripted.counts == {"vendor/a": 1}


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("model", "asked_for"),
    [
        ("openai:gpt-x", "gpt-x"),
        ("llama-3", "llama-3"),
        ("meta/llama-3", "meta/llama-3"),
        ("openai:org/model:tag", "org/model:tag"),
        ("qwen3:8b", "qwen3:8b"),
    ],
)
async def test_the_name_that_an_endpoint_of_ones_own_is_asked_for(scripted, model, asked_for):
    await asked(Panelist(model=model, base_url=scripted.url))
    assert [request.model for request in scripted.requests] == [asked_for]


@pytest.mark.loopback
async def test_settings_reach_the_wire(scripted, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    settings = {"temperature": 0.3, "seed": 7, "max_tokens": 64}
    await asked(Panelist(model="openrouter:vendor/a", reasoning="low", **settings))
    body = scripted.requests[-1].body
    assert {name: body[name] for name in settings} == settings
    assert body["reasoning"] == {"effort": "low"}
    assert body["usage"] == {"include": True}
    assert "max_completion_tokens" not in body


@pytest.mark.loopback
async def test_what_was_not_set_is_not_sent(scripted):
    await asked(panelist(scripted))
    unasked = {"temperature", "seed", "max_tokens", "reasoning", "usage", "n", "top_p"}
    assert not unasked & {name for name, value in scripted.requests[-1].body.items() if value is not None}


@pytest.mark.loopback
async def test_a_model_is_built_once_a_loop(scripted):
    one = await chat_model(panelist(scripted))
    assert await chat_model(panelist(scripted, seat="other", fallbacks=("x:y",))) is one
    assert await chat_model(panelist(scripted, temperature=0.5)) is not one


async def test_a_new_key_makes_a_new_model(monkeypatch):
    one = await chat_model(Panelist(model="openrouter:vendor/a"))
    monkeypatch.setenv("OPENROUTER_API_KEY", "rotated")
    assert await chat_model(Panelist(model="openrouter:vendor/a")) is not one


@pytest.mark.loopback
async def test_a_new_endpoint_makes_a_new_model(scripted, monkeypatch):
    with ScriptedServer() as second:
        for server in (scripted, second):
            monkeypatch.setenv("OPENROUTER_BASE_URL", server.url)
            await asked(Panelist(model="openrouter:vendor/a"))
        assert (scripted.counts.total(), second.counts.total()) == (1, 1)


async def test_a_model_that_is_given_is_used_as_it_is():
    fake = FakeListChatModel(responses=["x"])
    assert await chat_model(Panelist(model=fake)) is fake


def test_a_fallback_keeps_the_sampling_and_leaves_the_endpoint():
    one = Panelist(
        model="a:m", temperature=0.1, base_url="http://h/v1", api_key_env="K", max_input_tokens=999, fallbacks=("b:n",)
    )
    assert with_model(one, "a:m") is one
    assert with_model(one, "b:n") == Panelist(model="b:n", temperature=0.1)


@pytest.mark.parametrize(
    ("one", "field", "said"),
    [
        ({"model": "nope:m"}, "judge.model", "no provider 'nope'"),
        ({"model": "openrouter:"}, "judge.model", "names no model"),
        ({"model": "local:nope"}, "judge.model", "no local model 'nope'"),
        ({"model": "bedrock:m"}, "judge.model", "pip install langchain-aws"),
        ({"model": "mistralai:m"}, "judge.model", "set MISTRAL_API_KEY"),
        ({"model": "zai:m"}, "judge.model", "set ZAI_API_KEY"),
        ({"model": "zai:"}, "judge.model", "names no model"),
        ({"model": "openrouter:m", "fallbacks": ("nope:m",)}, "judge.model", "no provider 'nope'"),
        ({"model": "m", "base_url": "http://h/v1", "api_key_env": "ABSENT_KEY"}, "judge.model", "set ABSENT_KEY"),
        ({"model": "openrouter:m", "api_key_env": "ABSENT_KEY"}, "judge.model", "set ABSENT_KEY"),
    ],
)
def test_what_could_not_be_made_is_refused_before_any_call(one, field, said):
    with pytest.raises(ConfigError) as caught:
        check_models([("judge", Panelist(**one))])
    assert caught.value.field == field
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("model", ["zai:glm-5", "moonshotai:kimi-k2.6"])
async def test_reasoning_effort_is_refused_where_it_is_not_understood(model):
    with pytest.raises(ConfigError, match="'reasoning' is for openai and openrouter models"):
        await chat_model(Panelist(model=model, reasoning="low"))


def test_a_missing_key_is_named(monkeypatch):
    monkeypatch.delenv("OPENROUTER_API_KEY")
    with pytest.raises(ConfigError, match="set OPENROUTER_API_KEY") as caught:
        check_models([("panel.0", Panelist(model="openrouter:vendor/a"))])
    assert caught.value.field == "panel.0.model"
    monkeypatch.setenv("OPENROUTER_API_KEY", "")
    with pytest.raises(ConfigError, match="OPENROUTER_API_KEY is set but empty"):
        check_models([("panel.0", Panelist(model="openrouter:vendor/a"))])


def test_what_can_be_made_passes():
    fake = FakeListChatModel(responses=["x"])
    good = ["openrouter:vendor/a", "openai:gpt", "ollama:qwen3:8b", fake, {"model": "m", "base_url": "http://h/v1"}]
    check_models((f"panel.{i}", Panelist.model_validate(one)) for i, one in enumerate(good))


@pytest.mark.parametrize(
    ("model", "retries"), [("anthropic:claude-opus-4-8", 0), ("google_genai:gemini-3", 1), ("openai:gpt-5", 0)]
)
async def test_no_package_retries_by_itself(model, retries, monkeypatch):
    """Google's counts attempts."""
    monkeypatch.setenv("GOOGLE_API_KEY", "own-GOOGLE_API_KEY")
    made = await chat_model(Panelist(model=model))
    assert type(made).__name__ != "CompatibleChat"
    assert made.max_retries == retries


@pytest.mark.loopback
@pytest.mark.usefixtures("pauses")
async def test_anthropics_package_asks_as_often_as_it_is_billed(web, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_BASE_URL", web.root)
    web.page("/v1/messages", Page("half", status=529, content_type="application/json"))
    one = Panelist(model="anthropic:claude-opus-4-8")
    with pytest.raises(ModelCallError):
        await asked(one)
    assert [request.path for request in web.requests] == ["/v1/messages"] * ATTEMPTS
