"""Where each provider is reached, and by which key."""

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.models import providers
from fusion_tool.models.providers import (
    PROVIDERS,
    endpoint_for,
    has_langchain_package,
    key_variable,
    provider_of_url,
    providers_with_key,
)
from tests.unit.models.models import asked

KEY = "its-own-key-0123456789"
COMPATIBLE = [name for name, provider in PROVIDERS.items() if provider.url]


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No key, no gateway, no provider's package."""
    for provider in PROVIDERS.values():
        for variable in (*provider.keys, provider.base_url_variable):
            monkeypatch.delenv(variable or "NONE", raising=False)
    monkeypatch.setattr(providers, "has_langchain_package", lambda provider: provider == "openai")


def one(provider, **fields):
    return Panelist(model=f"{provider}:some-model", **fields)


@pytest.mark.parametrize(
    ("provider", "url"),
    [
        ("anthropic", "https://api.anthropic.com/v1"),
        ("google_genai", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("deepseek", "https://api.deepseek.com/v1"),
        ("xai", "https://api.x.ai/v1"),
        ("mistralai", "https://api.mistral.ai/v1"),
        ("moonshotai", "https://api.moonshot.ai/v1"),
        ("zai", "https://api.z.ai/api/paas/v4"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("openrouter", "https://openrouter.ai/api/v1"),
        ("openai", None),
        ("bedrock", None),
        ("local", None),
    ],
)
def test_the_endpoint_of_each(provider, url):
    assert endpoint_for(one(provider)) == url


@pytest.mark.parametrize("provider", [name for name in COMPATIBLE if PROVIDERS[name].packaged])
def test_an_installed_package_knows_better(monkeypatch, provider):
    monkeypatch.setattr(providers, "has_langchain_package", lambda name: name == provider)
    assert endpoint_for(one(provider)) is None


def test_a_package_is_looked_for_under_langchains_name():
    assert has_langchain_package("openai")
    assert not has_langchain_package("never_heard_of")


@pytest.mark.parametrize(
    ("variable", "provider", "root", "url"),
    [
        ("ANTHROPIC_BASE_URL", "anthropic", "https://gw.corp/anthropic/", "https://gw.corp/anthropic/v1"),
        ("ANTHROPIC_BASE_URL", "anthropic", "https://gw.corp/v1", "https://gw.corp/v1"),
        ("GOOGLE_GEMINI_BASE_URL", "google_genai", "https://gw.corp", "https://gw.corp/v1beta/openai"),
        ("DEEPSEEK_API_BASE", "deepseek", "https://gw.corp/v9", "https://gw.corp/v9"),
        ("MOONSHOT_BASE_URL", "moonshotai", "https://api.moonshot.cn/v1", "https://api.moonshot.cn/v1"),
        ("ANTHROPIC_BASE_URL", "anthropic", "  ", "https://api.anthropic.com/v1"),
        ("OPENROUTER_BASE_URL", "openrouter", "https://gw.corp/v1/", "https://gw.corp/v1"),
    ],
)
def test_the_usual_variable_moves_it(monkeypatch, variable, provider, root, url):
    monkeypatch.setenv(variable, root)
    assert endpoint_for(one(provider)) == url


def test_geminis_key_has_two_names(monkeypatch):
    assert key_variable(one("google_genai")) == "GOOGLE_API_KEY"
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    assert key_variable(one("google_genai")) == "GEMINI_API_KEY"
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert key_variable(one("google_genai")) == "GOOGLE_API_KEY"


@pytest.mark.parametrize(("provider", "variable"), [(name, key) for name in PROVIDERS for key in PROVIDERS[name].keys])
def test_a_set_key_is_seen_and_an_empty_one_is_not(monkeypatch, provider, variable):
    monkeypatch.setenv(variable, "")
    assert providers_with_key() == frozenset()
    monkeypatch.setenv(variable, KEY)
    assert providers_with_key() == {provider}


def test_an_address_tells_its_provider():
    for name in COMPATIBLE:
        assert provider_of_url(PROVIDERS[name].endpoint() or "") == name
    assert provider_of_url("https://api.openai.com/v1") == "openai"
    assert provider_of_url("http://127.0.0.1:8000/v1") is None
    assert provider_of_url("https://api.anthropic.com.evil.example/v1") is None


def test_every_address_is_https_and_at_a_name():
    for provider in PROVIDERS.values():
        assert provider.url is None or urlsplit(provider.url).scheme == "https"


@pytest.mark.loopback
@pytest.mark.parametrize("provider", COMPATIBLE)
async def test_a_key_alone_is_enough_and_goes_to_its_own_provider(scripted, monkeypatch, provider):
    known = PROVIDERS[provider]
    for name, other in PROVIDERS.items():
        monkeypatch.setenv(other.keys[0], KEY if name == provider else f"foreign-{name}")
    monkeypatch.setitem(PROVIDERS, provider, replace(known, url=scripted.url, path="", base_url_variable=""))
    reply = await asked(one(provider, max_tokens=9, temperature=0.5), on_delta=lambda _: None)
    (request,) = scripted.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "foreign" not in f"{dict(request.headers)} {dict(request.body)}"
    assert (request.model, request.body["max_tokens"], request.body["temperature"]) == ("some-model", 9, 0.5)
    assert ("usage" in request.body) == (provider == "openrouter")
    assert ("stream_options" in request.body) == (provider != "mistralai")
    assert reply.text
