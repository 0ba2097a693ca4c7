"""`auto` over HTTP and MCP, with several keys set: the providers see the operator's own models, and no other."""

import pytest

from fusion_tool import FusionConfig, afuse
from tests.integration.mcp_connections import over_http
from tests.integration.openai_server import client, served, user
from tests.integration.panel import verdict

pytestmark = pytest.mark.loopback

CODING = "Fix this Python function: it raises IndexError on an empty list.\n\ndef first(xs):\n    return xs[0]\n"
BROAD = "Is nuclear power worth its price, compared with wind and storage? Prove the trade-off, and name all sides."
OURS = ("google/gemini-3.1-pro-preview", "openai/gpt-5.4")
KEYS = {
    "OPENAI_API_KEY": "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY": "ANTHROPIC_BASE_URL",
    "DEEPSEEK_API_KEY": "DEEPSEEK_API_BASE",
    "MOONSHOT_API_KEY": "MOONSHOT_BASE_URL",
    "ZAI_API_KEY": "ZAI_BASE_URL",
}


@pytest.fixture
def everywhere(provider, monkeypatch):
    """A scripted OpenRouter, and at the same address every other provider whose key is set."""
    for key, address in KEYS.items():
        monkeypatch.setenv(key, "sk-0123456789abcdef0123456789abcdef")
        monkeypatch.setenv(address, provider.url)
    provider.otherwise(verdict())
    return provider


OPERATOR = FusionConfig(panel=[f"openrouter:{name}" for name in OURS], search=None, bash="off", health=False)


async def by_openai(question, tmp_path):  # noqa: ARG001 - as the other
    with served(OPERATOR) as url:
        client(url).chat.completions.create(
            model="fusion", messages=[user(question)], extra_body={"fusion": {"strategy": "auto"}}
        )


async def by_mcp(question, tmp_path):
    file = tmp_path / "fusion.toml"
    file.write_text(f'panel = {[*map("openrouter:{}".format, OURS)]}\nsearch = false\nbash = "off"\n', "utf-8")
    async with over_http(file) as session:
        assert not (await session.call({"question": question, "strategy": "auto"}))["isError"]


@pytest.mark.parametrize("question", [CODING, BROAD])
@pytest.mark.parametrize("call", [by_openai, by_mcp])
async def test_a_callers_auto_asks_the_operators_models_alone(everywhere, call, question, tmp_path):
    await call(question, tmp_path)
    assert set(everywhere.counts)
    assert set(everywhere.counts) <= set(OURS)


async def test_the_same_question_of_the_operators_own_may_go_further(everywhere):
    await afuse(CODING, OPERATOR, strategy="auto")
    assert not set(everywhere.counts) <= set(OURS)
