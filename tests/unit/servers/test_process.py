"""`fusion-tool serve` before it serves: what it refuses, and what it says."""

import importlib.util
import socket

import pytest
import typer

from fusion_tool import ConfigError, FusionConfig
from fusion_tool.cli.commands.serve import how_to_call, serve
from fusion_tool.config.installation import require_extra
from fusion_tool.config.presets import load_presets
from fusion_tool.servers.app import Options
from fusion_tool.servers.process import ServerAddress
from fusion_tool.servers.process import serve as serve_at
from fusion_tool.testing import fake_config

app = typer.Typer()
app.command()(serve)


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for variable in ("FUSION_SERVER_KEYS", "OPENROUTER_API_KEY"):
        monkeypatch.delenv(variable, raising=False)


def refused(options, address):
    heard = []
    with pytest.raises(ConfigError) as error:
        serve_at(options, address, on_listening=heard.append)
    assert not heard
    return error.value


def test_another_address_needs_keys():
    error = refused(Options(fake_config()), ServerAddress("0.0.0.0", 0))  # noqa: S104 - it is refused
    assert error.field == "host"
    assert "FUSION_SERVER_KEYS" in error.message


def test_a_model_that_cannot_work_is_told_before_anybody_connects():
    error = refused(Options(FusionConfig(panel=("openrouter:a/b",))), ServerAddress(port=0))
    assert (error.field, "OPENROUTER_API_KEY" in error.message) == ("panel.0.model", True)


def test_so_is_one_of_a_preset_and_the_agents():
    assert (
        refused(Options(fake_config(), presets=load_presets(["fast"])), ServerAddress(port=0)).field
        == "preset fast.panel.0.model"
    )
    agent = FusionConfig(panel=("openrouter:a/b",)).panel[0]
    assert refused(Options(fake_config(), agent_model=agent), ServerAddress(port=0)).field == "agent_model.model"


@pytest.mark.loopback
def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        error = refused(Options(fake_config()), ServerAddress(port=other.getsockname()[1]))
    assert (error.field, "cannot listen on 127.0.0.1" in error.message) == ("port", True)


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "fusion_tool.config.installation.find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    with pytest.raises(ConfigError, match=r"uvicorn not installed: pip install 'fusion-tool\[server\]'"):
        require_extra("server")
    require_extra("mcp")


@pytest.mark.parametrize("has_keys", [False, True])
def test_it_says_how_to_call(has_keys):
    text = how_to_call("http://127.0.0.1:8000/v1", has_keys=has_keys)
    assert "curl -N http://127.0.0.1:8000/v1/chat/completions" in text
    assert ("Bearer KEY" in text) is has_keys
