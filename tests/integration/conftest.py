"""A scripted OpenRouter and a scripted web, wired in by the environment as an operator would."""

import pytest

from tests.integration.panel import KEY
from tests.scripted_server import ScriptedServer
from tests.scripted_server.web import WebServer


@pytest.fixture
def provider(scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> ScriptedServer:
    """OpenRouter, as far as the package can tell."""
    monkeypatch.setenv("OPENROUTER_BASE_URL", scripted.url)
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    return scripted


@pytest.fixture
def internet(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> WebServer:
    """Pages, and a SearXNG that finds them."""
    monkeypatch.setenv("SEARXNG_URL", web.root)
    return web
