"""`fusion-tool serve` before it serves: what it refuses, and what it says."""

import asyncio
import importlib.util
import socket

import pytest
import typer
from typer.testing import CliRunner

from fusion_tool import ConfigError, FusionConfig
from fusion_tool.cli.commands.serve import how_to_call, serve
from fusion_tool.config.installation import require_extra
from fusion_tool.config.loading import resolve_config
from fusion_tool.config.presets import load_presets, preset
from fusion_tool.servers.app import Options
from fusion_tool.servers.checks import check_served, reachable_model
from fusion_tool.servers.openai.models import ModelCatalog
from fusion_tool.servers.overrides import apply_overrides, parse_overrides
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


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "ANTHROPIC_API_KEY"])
def test_a_vendors_key_alone_is_enough_for_the_default_panel_and_the_agents_model(variable, monkeypatch):
    monkeypatch.setenv(variable, "sk-0123456789abcdef")
    provider = variable.partition("_")[0].lower()
    asked = check_served(resolve_config())
    assert {role.model.partition(":")[0] for role in asked.roles} == {provider}
    seat = preset("budget").panel[0]
    assert asyncio.run(reachable_model(seat, preset("budget"))).model.startswith(f"{provider}:")


def test_presets_of_ones_own_are_served(tmp_path, monkeypatch):
    file = tmp_path / "f.toml"
    file.write_text('[presets.mine]\npanel = ["ollama:a"]\n[presets.more]\nextends = "mine"\nbash = "off"\n', "utf-8")
    started = []
    monkeypatch.setattr("fusion_tool.servers.process.serve", lambda options, *_, **__: started.append(options))
    done = CliRunner().invoke(app, ["--config", str(file), "--preset", "mine", "--also", "more"])
    assert done.exit_code == 0
    (options,) = started
    assert options.config == options.presets["mine"] == FusionConfig(panel=["ollama:a"])
    assert ModelCatalog(options.presets).names == ("fusion", "fusion-agent", "fusion-mine", "fusion-more")
    asked = apply_overrides(options.config, parse_overrides({"preset": "more"}), presets=options.presets)
    assert asked.bash == "off"


@pytest.mark.loopback
def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        error = refused(Options(fake_config()), ServerAddress(port=other.getsockname()[1]))
    assert (error.field, "cannot listen on 127.0.0.1" in error.message) == ("port", True)
    assert error.message.endswith(": Address already in use; port 0 picks a free one")


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
