"""An environment without keys, without the user's folders, and with every provider out of reach."""

from pathlib import Path

import pytest

from fusion_tool.models.providers import KEYS
from fusion_tool.tools.search.search import PROVIDERS
from tests.scripted_server import ScriptedServer
from tests.unit.cli.support import script_panel

_NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(autouse=True)
def _bare(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path_factory.mktemp("home")
    searched = (spec.variable for spec in PROVIDERS.values() if spec.variable)
    for variable in (*KEYS.values(), *searched, "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.setenv("OPENROUTER_BASE_URL", f"{_NOBODY}/v1")
    monkeypatch.setenv("OLLAMA_HOST", _NOBODY)


@pytest.fixture
def openrouter(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """A scripted OpenRouter with a panel on it, and its key."""
    script_panel(scripted)
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-v1-0123456789abcdef")
    return scripted


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
