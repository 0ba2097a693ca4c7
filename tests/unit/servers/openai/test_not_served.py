"""Addresses that clients ask and nobody serves: the reply says what to ask instead."""

import pytest
from starlette.testclient import TestClient

from fusion_tool.servers.app import Options, create_app
from fusion_tool.testing import fake_config


@pytest.mark.parametrize(
    ("method", "path", "status", "cure"),
    [
        ("GET", "/v1/responses/resp_1", 404, "nothing is stored here: POST /v1/responses"),
        ("DELETE", "/v1/responses/resp_1", 404, "nothing is stored here: POST /v1/responses"),
        ("POST", "/v1/responses/resp_1/cancel", 404, "nothing is stored here"),
        ("GET", "/v1/responses", 405, "POST /v1/responses"),
        ("POST", "/v1/conversations", 404, "nothing is stored here"),
        ("POST", "/v1/assistants", 404, "POST /v1/responses"),
        ("GET", "/v1/chat/completions", 405, "POST /v1/chat/completions"),
        ("POST", "/v1/completions", 404, "POST /v1/chat/completions"),
        ("POST", "/v1/messages", 404, "POST /v1/chat/completions"),
        ("POST", "/v1/embeddings", 404, "no embeddings"),
        ("POST", "/v1/audio/speech", 404, "questions and answers are text"),
        ("POST", "/chat/completions", 404, "base URL ends in /v1"),
        ("POST", "/v1/responsesx", 404, "there are POST /v1/chat/completions"),
        ("GET", "/", 404, "there are POST /v1/chat/completions"),
    ],
)
def test_the_refusal_names_the_cure(method, path, status, cure):
    client = TestClient(create_app(Options(fake_config("x"))), base_url="http://127.0.0.1", client=("127.0.0.1", 5))
    response = client.request(method, path)
    assert response.status_code == status
    error = response.json()["error"]
    assert error["message"].startswith(f"{method} {path} is not served here: ")
    assert (cure in error["message"], error["code"]) == (True, "not_found")
    assert "\n" not in error["message"]
