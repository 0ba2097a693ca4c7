"""Through the whole graph: no denied vendor is ever asked, and each key goes to its own vendor alone."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fusion_tool import FusionConfig, FusionResult, afuse
from fusion_tool.config.presets import preset
from fusion_tool.models import providers
from fusion_tool.models.providers import PROVIDERS, providers_with_key
from fusion_tool.routing.policy.allowed import apply_bans
from fusion_tool.routing.profiles import load_profiles
from tests.integration.panel import QUESTION, verdict
from tests.scripted_server import faults

pytestmark = pytest.mark.loopback

PRESETS = ["budget", "quality", "frontier", "self", "fast", "free"]
OWN_KEYS = ["openai", "anthropic", "google_genai", "deepseek", "xai", "mistralai", "moonshotai", "zai"]
PROFILES = load_profiles(Path("/nonexistent"))


@pytest.fixture(autouse=True)
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key of anybody's, and no provider's package but OpenAI's."""
    for provider in PROVIDERS.values():
        for key in provider.keys:
            monkeypatch.delenv(key, raising=False)
    monkeypatch.setattr(providers, "has_langchain_package", lambda provider: provider == "openai")


async def run(config: FusionConfig) -> FusionResult:
    today = datetime.now(UTC).date()
    settled = apply_bans(config, profiles=PROFILES, keyed=providers_with_key(), today=today).config
    return await afuse(QUESTION, settled)


def plain(name: str, **changed: object) -> FusionConfig:
    return preset(name).model_copy(update={"search": None, "bash": "off", "health": False, **changed})


def vendors_of(name: str) -> list[str]:
    config = preset(name)
    roles = [*config.panel, config.judge_or_default, config.synthesizer_or_default]
    slugs = (
        model.removeprefix("openrouter:~").removeprefix("openrouter:")
        for one in roles
        for model in (one.model, *one.fallbacks)
    )
    return sorted({slug.partition("/")[0] for slug in slugs})


@pytest.mark.parametrize(("name", "vendor"), [(name, vendor) for name in PRESETS for vendor in vendors_of(name)])
async def test_a_preset_answers_without_any_one_vendor(scripted, monkeypatch, name, vendor):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    scripted.otherwise(verdict())
    result = await run(plain(name, deny=(f"{vendor}/*",)))
    assert result.status == "ok"
    assert result.responses
    assert all(request.model.removeprefix("~").partition("/")[0] != vendor for request in scripted.requests)


async def test_a_denied_fallback_is_not_asked_where_everything_else_fails(scripted, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "k")
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    scripted.reply("google/gemini-3-flash-preview", faults.withdrawn("google/gemini-3-flash-preview"))
    scripted.reply("anthropic/claude-opus-4.8", faults.unauthorized())
    result = await run(plain("budget", deny=("qwen/*", "z-ai/*")))
    asked = {request.model.partition("/")[0] for request in scripted.requests}
    assert asked == {"google", "moonshotai", "deepseek", "anthropic"}
    assert result.failed_models


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("key", OWN_KEYS)
async def test_a_preset_answers_with_one_vendors_own_key(scripted, monkeypatch, name, key):
    monkeypatch.setenv(PROVIDERS[key].keys[-1], f"own-key-of-{key}")
    monkeypatch.setitem(PROVIDERS, key, replace(PROVIDERS[key], url=scripted.url, path="", base_url_variable=""))
    if key == "openai":
        monkeypatch.setitem(PROVIDERS, key, replace(PROVIDERS[key], url=None))
        monkeypatch.setenv("OPENAI_BASE_URL", scripted.url)
    scripted.otherwise(verdict())
    result = await run(plain(name))
    assert result.status == "ok"
    assert len(result.responses) >= 2
    assert {call.model.partition(":")[0] for call in result.usage.calls} == {key}
    assert {request.headers["authorization"] for request in scripted.requests} == {f"Bearer own-key-of-{key}"}
    assert result.usage.unpriced_calls == 0
