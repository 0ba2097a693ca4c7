"""Pages of other sites: none may ask, but those whose origins the operator names."""

import pytest
from starlette.testclient import TestClient

from fusion_tool import ConfigError
from fusion_tool.servers.app import Options
from fusion_tool.servers.app import create_app as openai_app
from fusion_tool.servers.cors import cors_middleware
from fusion_tool.servers.keys import load_callers
from fusion_tool.servers.mcp.http import create_app as mcp_app
from fusion_tool.servers.mcp.server import McpOptions
from fusion_tool.testing import fake_config

APP, OTHER = "https://app.example", "https://other.example"
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,mcp-session-id"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
}


def openai(origins, callers):
    return openai_app(Options(fake_config(), origins=origins, callers=callers)), "/v1/models"


def mcp(origins, callers):
    return mcp_app(McpOptions(fake_config(), origins=origins), callers), "/mcp"


def ask(client, path, **headers):
    if path == "/mcp":
        accept = {"accept": "application/json, text/event-stream"}
        return client.post(path, json=INITIALIZE, headers=accept | headers)
    return client.get(path, headers=headers)


@pytest.mark.parametrize("face", [openai, mcp])
@pytest.mark.parametrize("key", [None, "secret"])
def test_a_named_page_may_ask_and_no_other(face, key, monkeypatch):
    monkeypatch.delenv("FUSION_SERVER_KEYS", raising=False)
    if key:
        monkeypatch.setenv("FUSION_SERVER_KEYS", key)
    app, path = face((APP,), load_callers())
    with TestClient(app, base_url="http://localhost:8000") as client:
        asked = client.options(path, headers=PREFLIGHT | {"origin": APP})
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, APP)
        assert "mcp-session-id" in asked.headers["access-control-allow-headers"]
        assert "access-control-allow-credentials" not in asked.headers
        refused = client.options(path, headers=PREFLIGHT | {"origin": OTHER})
        assert (refused.status_code, "access-control-allow-origin" in refused.headers) == (400, False)

        bearer = {"authorization": f"Bearer {key}"} if key else {}
        answer = ask(client, path, origin=APP, **bearer)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, APP)
        assert "mcp-session-id, retry-after, x-should-retry" in answer.headers["access-control-expose-headers"]
        stranger = ask(client, path, origin=OTHER, **bearer)
        assert "access-control-allow-origin" not in stranger.headers
        assert stranger.status_code == (200 if key else 403)
        if key:  # a page that is named needs a key like everybody, and its browser shows it the refusal
            without = ask(client, path, origin=APP)
            assert (without.status_code, without.headers["access-control-allow-origin"]) == (401, APP)


@pytest.mark.parametrize("face", [openai, mcp])
def test_by_default_no_page_may_ask(face):
    app, path = face((), ())
    with TestClient(app, base_url="http://localhost:8000") as client:
        assert "access-control-allow-origin" not in client.options(path, headers=PREFLIGHT | {"origin": APP}).headers
        assert ask(client, path, origin=APP).status_code == 403


@pytest.mark.parametrize("origin", ["*", "https://*", "app.example", "https://app.example/page", "file:///x", ""])
def test_what_is_no_origin_is_refused_with_the_cure(origin):
    with pytest.raises(ConfigError, match="such as https"):
        cors_middleware([origin])
