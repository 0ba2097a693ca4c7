"""Which endpoints stand in the user's own network."""

import pytest

from fusion_tool.config.schema import Panelist
from fusion_tool.models.providers import has_own_server


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://127.3.2.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://192.168.1.5:1234/v1", True),
        ("http://[fd00::1]/v1", True),
        ("http://vllm:8000/v1", True),
        ("http://box.local/v1", True),
        ("https://api.example.com/v1", False),
        ("https://8.8.8.8/v1", False),
    ],
)
def test_an_endpoint_of_ones_own(url, own):
    assert has_own_server(Panelist(model="m", base_url=url)) is own


@pytest.mark.parametrize(("model", "own"), [("ollama:qwen3:8b", True), ("openrouter:a/b", False), ("local:x", True)])
def test_a_provider(model, own, monkeypatch):
    monkeypatch.setenv("OPENROUTER_BASE_URL", "http://127.0.0.1:4000")
    assert has_own_server(Panelist(model=model)) is own
