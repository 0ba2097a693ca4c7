"""`fusion-tool mcp`, as far as it comes without a client."""

import pytest

from fusion_tool.cli.commands.serve import mcp
from fusion_tool.config import installation
from fusion_tool.errors import ConfigError


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda name: None if name == "mcp" else object())
    with pytest.raises(ConfigError, match=r"mcp not installed: pip install 'fusion-tool\[mcp\]'"):
        mcp(preset="budget")


@pytest.mark.parametrize("http", [False, True], ids=["stdio", "http"])
def test_a_panel_that_cannot_work_is_refused_before_a_client_waits(monkeypatch, http):
    monkeypatch.delenv("OPENROUTER_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="needs a key: set OPENROUTER_API_KEY"):
        mcp(preset="budget", http=http)


def test_it_listens_beyond_this_machine_only_with_keys(monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    monkeypatch.delenv("FUSION_SERVER_KEYS", raising=False)
    with pytest.raises(ConfigError, match="which needs keys: set FUSION_SERVER_KEYS"):
        mcp(preset="budget", http=True, host="0.0.0.0")  # noqa: S104 - it is refused
