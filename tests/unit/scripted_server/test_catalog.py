"""Lists of models."""

import pytest

from tests.scripted_server import Installed
from tests.unit.scripted_server.talk import get, post

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("path", ["/v1/models", "/api/v1/models"])
def test_models_are_those_of_the_script(scripted, path):
    scripted.reply("vendor/a", "x")
    scripted.models.append("vendor/b")
    listed = get(scripted.root + path).json()["data"]
    assert [model["id"] for model in listed] == ["vendor/a", "vendor/b"]


def test_ollama_says_what_is_installed(scripted):
    embedder = Installed("nomic-embed-text:latest", family="nomic-bert", capabilities=("embedding",))
    scripted.installed += [Installed("llama3.2:3b"), embedder]
    tags = get(f"{scripted.root}/api/tags").json()["models"]
    assert [(t["name"], t["details"]["family"]) for t in tags] == [
        ("llama3.2:3b", "llama"),
        ("nomic-embed-text:latest", "nomic-bert"),
    ]
    show = f"{scripted.root}/api/show"
    assert post(show, json={"model": "nomic-embed-text"}).json()["capabilities"] == ["embedding"]
    assert post(show, json={"model": "absent"}).status_code == 404
    assert get(f"{scripted.root}/api/version").json()["version"]
    assert [request.path for request in scripted.requests] == [
        "/api/tags",
        "/api/show",
        "/api/show",
        "/api/version",
    ]
    assert scripted.peak_in_flight == 0
