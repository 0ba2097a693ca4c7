"""What clients get wrong: each a status, a code, and one line in OpenAI's shape."""

import json

import httpx
import openai
import pytest

from fusion_tool.config.presets import load_presets
from tests.integration.callers import callers
from tests.integration.openai_server import client, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import faults

pytestmark = pytest.mark.loopback

SEATS = ("test/one", "test/two")
BODY = {"model": "fusion", "messages": [user(QUESTION)]}
TOOL = {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object", "properties": {}}}}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


@pytest.fixture
def url(provider):
    provider.reply(JUDGE, verdict())
    with served(panel(*SEATS)) as url:
        yield url


@pytest.fixture
def locked():
    with served(panel(*SEATS), callers=callers("one", "two")) as url:
        yield url


def post(url, body=None, **options):
    content = body if isinstance(body, bytes) else json.dumps(body or BODY).encode()
    return httpx.post(f"{url}/chat/completions", content=content, **options)


def error(response):
    assert set(response.json()) == {"error"}
    return response.json()["error"]


@pytest.mark.parametrize("key", ["", "wrong", "one,two"])
def test_no_key_or_a_wrong_one(provider, locked, key):
    with pytest.raises(openai.AuthenticationError) as refused:
        client(locked, key or "-").chat.completions.create(**BODY)
    assert refused.value.code == "invalid_api_key"
    assert not provider.requests


def test_a_key_lets_in(provider, locked):
    provider.reply(JUDGE, verdict())
    assert client(locked, "two").chat.completions.create(**BODY).choices[0].message.content
    assert httpx.get(locked.replace("/v1", "/metrics")).status_code == 401
    assert httpx.get(locked.replace("/v1", "/healthz")).status_code == 200


@pytest.mark.parametrize("name", ["gpt-5.5", "fusion-", "fusion-frontier", "Fusion", "fusion-agent-x"])
def test_an_unknown_model_names_those_that_are_there(url, name):
    with pytest.raises(openai.NotFoundError, match="there are fusion, fusion-agent") as refused:
        client(url).chat.completions.create(**BODY | {"model": name})
    assert refused.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        client(url).models.retrieve(name or "-")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b'"fusion"', b"\xff\xfe", b"[" * 100_000, b'{"model": "fusion"'],
    ids=["nothing", "cut off", "a list", "a string", "no text", "too deep", "no end"],
)
def test_a_body_that_is_no_json_object(url, body):
    response = post(url, body)
    assert (response.status_code, error(response)["code"]) == (400, "invalid_json")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes(provider, url, chunked):
    body = json.dumps(BODY | {"messages": [user("x" * 10_000_000)]}).encode()
    content = (body[start : start + 65536] for start in range(0, len(body), 65536)) if chunked else body
    response = httpx.post(f"{url}/chat/completions", content=content)
    assert (response.status_code, error(response)["code"]) == (413, "request_too_large")
    assert not provider.requests


@pytest.mark.parametrize("model", ["fusion", "fusion-fast"])
def test_tools_on_a_plain_model_are_refused_by_the_name_of_the_one_that_takes_them(provider, model):
    with served(panel(*SEATS), presets=load_presets(["fast"])) as url, pytest.raises(openai.BadRequestError) as refused:
        client(url).chat.completions.create(**BODY | {"model": model}, tools=[TOOL])
    assert refused.value.param == "tools"
    assert "fusion-agent" in refused.value.message
    assert not provider.requests


@pytest.mark.parametrize("model", ["fusion", "fusion-agent"])
def test_images_are_refused(provider, url, model):
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]}]
    with pytest.raises(openai.BadRequestError, match="image_url"):
        client(url).chat.completions.create(model=model, messages=messages)
    assert not provider.requests


@pytest.mark.parametrize("where", ["beside", "inside"])
@pytest.mark.parametrize("name", ["base_url", "documents", "bash", "fetch", "allowed_private_hosts", "api_key_env"])
def test_what_is_the_operators_alone(provider, url, name, where):
    extra = {name: "x"} if where == "beside" else {"fusion": {name: "x"}}
    with pytest.raises(openai.BadRequestError, match="only the operator") as refused:
        client(url).chat.completions.create(**BODY, extra_body=extra)
    assert refused.value.param == name
    assert not provider.requests


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "question"),
        ({"messages": [{"role": "user", "content": "x" * 100_001}]}, "question"),
        ({"fusion": {"models": ["test/other"]}}, "models.0"),
        ({"plugins": [{"id": "web"}]}, "plugins.0.id"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_done(provider, url, more, param, stream):
    response = post(url, BODY | more | {"stream": stream})
    assert (response.status_code, error(response)["param"]) == (400, param)
    assert not provider.requests


def test_a_seat_of_another_fusion(provider, url):
    response = post(url, headers={"Fusion-Depth": "1"})
    assert (response.status_code, error(response)["code"]) == (400, "recursion_refused")
    assert not provider.requests


@pytest.mark.parametrize("stream", [False, True])
def test_a_limit_too_low_to_begin(provider, url, stream):
    response = post(url, BODY | {"stream": stream, "fusion": {"limits": {"tokens": 10}}})
    assert (response.status_code, error(response)["code"]) == (402, "budget_exceeded")
    assert not provider.requests


def test_a_failed_panel_names_every_seat_and_is_not_asked_again(provider, url):
    for model in SEATS:
        provider.reply(model, faults.unauthorized())
    with pytest.raises(openai.BadRequestError) as failed:
        client(url, max_retries=2).chat.completions.create(**BODY)
    assert (failed.value.status_code, failed.value.code) == (400, "panel_failed")
    assert [row["reason"] for row in failed.value.body["failed_models"]] == ["auth", "auth"]
    assert provider.counts["test/one"] == 1


def test_a_panel_that_fails_in_a_stream_ends_it_with_an_error(provider, url):
    for model in SEATS:
        provider.reply(model, faults.unauthorized())
    with pytest.raises(openai.APIError, match="no usable answer") as failed:
        list(client(url).chat.completions.create(**BODY, stream=True))
    assert failed.value.code == "panel_failed"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/chat/completions", 405), ("POST", "/v1/models", 405), ("GET", "/v2", 404), ("GET", "/", 404)],
)
def test_what_is_not_there(url, method, path, status):
    response = httpx.request(method, url.replace("/v1", path))
    assert (response.status_code, error(response)["type"]) == (status, "invalid_request_error")


def test_without_keys_no_web_page_may_ask(provider, url):
    assert post(url, headers={"Origin": "https://evil.example"}).status_code == 403
    assert post(url, headers={"Host": "rebound.example"}).status_code == 403
    assert not provider.requests


def test_an_internal_error_tells_nothing(url, monkeypatch, caplog):
    async def broken(*_, **__):
        raise RuntimeError("sk-or-v1-0123456789abcdef at /srv/secret")

    monkeypatch.setattr("fusion_tool.servers.account.run_request", broken)
    response = post(url)
    assert response.status_code == 503
    assert "secret" not in response.text
    assert "/srv/secret" in caplog.text


def test_many_wrong_requests_leave_every_place_free(provider):
    provider.reply(JUDGE, verdict())
    with served(panel(*SEATS), max_runs=1) as url:
        for body in (b"{", BODY | {"n": 2}, BODY | {"fusion": {"limits": {"tokens": 10}}}):
            assert post(url, body).status_code >= 400
        assert client(url).chat.completions.create(**BODY).choices[0].message.content == (
            f"The scripted answer of {WRITER}."
        )
