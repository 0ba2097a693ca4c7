"""What counts as this machine, and what a run with privacy = "local" may still use."""

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import FakeListChatModel
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from fusion_tool.config.addresses import host_of, is_loopback
from fusion_tool.config.presets import preset
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.routing.policy.locality import is_local, require_local
from fusion_tool.testing import ScriptedChat, fake_config
from tests.unit.routing.models import SHIPPED, asked

LOCAL, REMOTE = "ollama:qwen3:8b", "openrouter:openai/gpt-5.5"


@pytest.fixture(autouse=True)
def ollama_here(monkeypatch):
    monkeypatch.delenv("OLLAMA_HOST", raising=False)


@tool
def lookup(word: str) -> str:
    """Look a word up."""
    return word


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost/v1", True),
        ("http://LOCALHOST./v1", True),
        ("http://127.3.2.1:11434", True),
        ("http://gpu.localhost/v1", False),
        ("http://[::1", False),
        ("http://localhost.evil.example/v1", False),
        ("http://127.0.0.1.nip.io/v1", False),
        ("http://0.0.0.0/v1", False),
        ("http://192.168.1.10/v1", False),
        ("http://10.0.0.1/v1", False),
        ("http://[fe80::1]/v1", False),
        ("http://gpu/v1", False),
        ("http://host.docker.internal/v1", False),
        ("https://openrouter.ai/api/v1", False),
        ("http://2130706433/v1", False),
        ("not a url", False),
    ],
)
def test_loopback_is_this_machine_and_a_private_network_is_not(url, here):
    assert is_loopback(host_of(url)) is here


@pytest.mark.parametrize(
    ("one", "local"),
    [
        ("local:smollm2-135m", True),
        (LOCAL, True),
        ("ollama:gpt-oss:120b-cloud", False),
        ("ollama:kimi-k2.5:cloud", False),
        ("ollama:hf.co/acme/cloudy:8b", True),
        ({"model": "qwen3:8b", "base_url": "http://127.0.0.1:8080/v1"}, True),
        ({"model": "gpt-oss:20b-cloud", "base_url": "http://localhost:11434/v1"}, False),
        ({"model": "qwen3:8b", "base_url": "http://gpu.corp/v1"}, False),
        ({"model": "local:x", "base_url": "http://gpu.corp/v1"}, False),
        ({"model": "ollama:x", "base_url": "http://gpu.corp/v1"}, False),
        (REMOTE, False),
        ("openai:gpt-5.5", False),
        (FakeListChatModel(responses=["x"]), True),
        (ScriptedChat(replies=["x"]).bind(stop=["."]), True),
        (ChatOpenAI(model="x", base_url="http://127.0.0.1:1/v1", api_key="x"), True),
        (ChatOpenAI(model="x", base_url="http://gpu.corp/v1", api_key="x"), False),
        (ChatOpenAI(model="x", api_key="x"), False),
        (ChatAnthropic(model="x", api_key="x"), False),
        (ScriptedChat(replies=["x"]).with_fallbacks([ChatAnthropic(model="x", api_key="x")]), False),
    ],
)
def test_where_a_model_is_asked(one, local):
    assert is_local(Panelist.model_validate(one)) is local


def test_an_unknown_models_class_is_not_local():
    class Unknown:
        async def ainvoke(self, *_):
            """Nobody knows where it sends this."""

    assert not is_local(Panelist(model=Unknown()))


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:11434", True),
        ("localhost", True),
        ("http://[::1]", True),
        ("gpu.corp", False),
        ("192.168.1.2", False),
    ],
)
def test_ollama_is_local_where_it_listens_here(monkeypatch, host, local):
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert is_local(Panelist(model=LOCAL)) is local


def test_openrouter_is_not_local_even_behind_a_gateway_on_this_machine(monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:4000/v1")
    assert not is_local(Panelist(model=REMOTE))


def test_only_what_is_local_stays_in_every_role():
    seat = {"model": REMOTE, "fallbacks": [LOCAL, "openai:gpt-5.5"]}
    judge = {"model": LOCAL, "fallbacks": [REMOTE]}
    config = FusionConfig(panel=(seat, REMOTE, LOCAL), judge=judge, synthesizer=REMOTE, documents="notes")
    kept = require_local(config)
    assert [seat.model for seat in kept.config.panel] == [LOCAL, LOCAL]
    assert all(map(is_local, asked(kept.config)))
    assert kept.config.synthesizer == kept.config.judge == Panelist(model=LOCAL)
    assert (kept.config.search, kept.config.trace_content) == (None, False)
    assert kept.config.documents == config.documents
    assert kept.notes == (
        "not on this machine, as privacy = 'local' wants: openai/gpt-5.5, openai:gpt-5.5",
        "qwen3:8b writes the answer",
        "no web tools: privacy = 'local'",
    )


def test_what_is_local_already_is_the_same_object():
    config = preset("local").model_copy(update={"trace_content": False})
    assert require_local(config).config is config
    assert require_local(config).notes == ()
    assert require_local(fake_config(trace_content=False)).notes == ()


@pytest.mark.parametrize("name", SHIPPED)
def test_a_remote_preset_is_refused_by_name_and_with_the_cure(name):
    with pytest.raises(ConfigError) as caught:
        require_local(preset(name))
    assert caught.value.field == "privacy"
    assert preset(name).panel[0].model.removeprefix("openrouter:") in str(caught.value)
    assert "--preset ollama" in str(caught.value)
    assert "'local'" in str(caught.value)


def test_the_callers_tools_are_refused_but_those_declared_local():
    with pytest.raises(ConfigError, match=r"panel_tools: .*'lookup' may send the question away") as caught:
        require_local(preset("local"), [lookup])
    assert caught.value.field == "panel_tools"
    declared = lookup.model_copy(update={"metadata": {"local": True}})
    assert require_local(preset("local"), [declared]).config.panel == preset("local").panel


@pytest.mark.parametrize(
    "server_tool", [{"type": "web_search_20250305"}, {"google_search": {}, "metadata": {"local": True}}]
)
def test_a_providers_server_tool_is_refused(server_tool):
    with pytest.raises(ConfigError, match="may send the question away"):
        require_local(preset("local"), [server_tool])
