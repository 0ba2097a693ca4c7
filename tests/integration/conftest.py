"""A scripted OpenRouter and a scripted web, wired in by the environment as an operator would."""

from pathlib import Path

import certifi
import pytest

from tests.integration.panel import KEY
from tests.scripted_server import ScriptedServer
from tests.scripted_server.web import WebServer

_END = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="session")
def one_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of one CA. Reading them all takes an HTTP client a tenth of a second, and nothing here speaks TLS."""
    first = Path(certifi.where()).read_text("utf-8").partition(_END)
    bundle = tmp_path_factory.mktemp("tls") / "ca.pem"
    bundle.write_text(first[0] + first[1], "utf-8")
    return bundle


@pytest.fixture(autouse=True)
def _quick_clients(one_authority: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(one_authority))


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
