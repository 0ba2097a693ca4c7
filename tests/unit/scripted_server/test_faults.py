"""What a client meets when a provider fails."""

import json

import openai
import pytest

from tests.scripted_server import Cut, Interrupted, Raw, Reply, faults
from tests.unit.scripted_server.talk import TOOL, USER, ask, said, streamed

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize(
    ("fault", "raised", "words"),
    [
        (faults.rate_limited(3), openai.RateLimitError, "Provider returned error"),
        (faults.server_error(), openai.InternalServerError, "The server had an error"),
        (faults.bad_gateway(), openai.InternalServerError, "Provider returned error"),
        (faults.overloaded(), openai.InternalServerError, "No instances available"),
        (faults.unauthorized(), openai.AuthenticationError, "No auth credentials"),
        (faults.no_credit(), openai.APIStatusError, "more credits"),
        (faults.flagged(), openai.PermissionDeniedError, "flagged"),
        (faults.withdrawn("vendor/a"), openai.NotFoundError, "No endpoints found for vendor/a"),
        (faults.html(503), openai.InternalServerError, "503|Just a moment"),  # what it says differs by version
        (faults.context_overflow("openai"), openai.BadRequestError, "maximum context length"),
        (faults.context_overflow("openrouter"), openai.BadRequestError, "maximum context length"),
        (faults.context_overflow("anthropic"), openai.BadRequestError, "prompt is too long"),
        (faults.context_overflow("google"), openai.BadRequestError, "exceeds the maximum number of tokens"),
        (faults.context_overflow("vllm"), openai.BadRequestError, "maximum context length"),
        (faults.context_overflow("llama.cpp"), openai.BadRequestError, "available context size"),
        (Cut(after=0), openai.APIConnectionError, "Connection error"),
        (Cut(after=1), openai.APIConnectionError, "Connection error"),
    ],
)
async def test_openai_raises(scripted, client, fault, raised, words):
    scripted.otherwise(fault)
    with pytest.raises(raised, match=words):
        await client.chat.completions.create(model="vendor/a", messages=USER)


@pytest.mark.parametrize("value", [2, "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
def test_retry_after_stands_as_written(scripted, value):
    scripted.otherwise(faults.rate_limited(value))
    assert ask(scripted).headers["retry-after"] == str(value)


def test_a_fault_can_pass(scripted):
    scripted.reply("vendor/a", faults.rate_limited(0.01), "there it is")
    with openai.OpenAI(base_url=scripted.url, api_key="sk-test", max_retries=1) as client:
        answer = client.chat.completions.create(model="vendor/a", messages=USER)
    assert answer.choices[0].message.content == "there it is"
    assert scripted.counts == {"vendor/a": 2}


@pytest.mark.parametrize(
    ("feature", "body", "status", "words"),
    [
        ("tools", {"tools": [TOOL]}, 404, "No endpoints found that support tool use"),
        ("response_format", {"response_format": {"type": "json_object"}}, 400, "response_format"),
        ("stream_options", {"stream": True, "stream_options": {"include_usage": True}}, 400, "stream_options"),
    ],
)
def test_a_model_refuses_what_it_does_not_support(scripted, feature, body, status, words):
    scripted.refuse("vendor/a", feature)
    scripted.otherwise("fine")
    refused = ask(scripted, **body)
    assert (refused.status_code, words in refused.json()["error"]["message"]) == (status, True)
    assert said(scripted) == "fine"
    assert ask(scripted, "vendor/b", **body).status_code == 200


async def test_a_stream_breaks_midway(scripted, client):
    scripted.otherwise(Cut(Reply("one two three", chunk_size=4), after=3))
    chunks = aiter(await client.chat.completions.create(model="vendor/a", messages=USER, stream=True))
    heard = [(await anext(chunks)).choices[0].delta.content for _ in range(3)]
    with pytest.raises(Exception, match=r"without sending complete|Connection error"):  # whose it is differs by version
        await anext(chunks)
    assert heard == ["", "one ", "two "]


@pytest.mark.parametrize("code", [502, "server_error"])
def test_an_error_inside_the_stream(scripted, code):
    scripted.otherwise(Interrupted(Reply("one two three", chunk_size=4), after=2, code=code))
    response = ask(scripted, stream=True)
    events, _, done = streamed(scripted)
    assert (response.status_code, done) == (200, True)
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events) == "one "
    assert events[-1]["error"] == {"code": code, "message": "Provider returned error"}
    assert events[-1]["choices"][0]["finish_reason"] == "error"


def test_an_error_instead_of_an_answer_under_200(scripted):
    scripted.otherwise(Interrupted())
    response = ask(scripted)
    assert response.status_code == 200
    assert response.json() == {"error": {"code": 502, "message": "Provider returned error"}}


async def test_openai_raises_on_an_error_inside_the_stream(scripted, client):
    scripted.otherwise(Interrupted())
    stream = await client.chat.completions.create(model="vendor/a", messages=USER, stream=True)
    with pytest.raises(openai.APIError, match="Provider returned error"):
        async for _ in stream:
            pass


def test_garbage(scripted):
    scripted.otherwise(faults.garbage())
    with pytest.raises(json.JSONDecodeError):
        ask(scripted).json()
    with pytest.raises(json.JSONDecodeError):
        streamed(scripted)


def test_a_page_instead_of_json(scripted):
    scripted.otherwise(faults.html())
    assert ask(scripted).headers["content-type"].startswith("text/html")


def test_no_choices(scripted):
    scripted.otherwise(faults.no_choices())
    assert ask(scripted).json()["choices"] == []
    assert [event["choices"] for event in streamed(scripted, usage={"include": True})[0]] == [[]]


def test_raw_is_sent_as_it_is(scripted):
    scripted.otherwise(Raw(b"\x00\xff", status=418, content_type="x/y", headers={"x-a": "b"}))
    response = ask(scripted)
    assert (response.status_code, response.content, response.headers["x-a"]) == (418, b"\x00\xff", "b")
