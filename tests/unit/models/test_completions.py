"""Requests as they go out, and what their failures are: errors of OpenAI's client, with what the provider said."""

import asyncio
import json

import httpx2
import openai
import pytest

from fusion_tool.models.completions import PlainCompletions
from fusion_tool.models.faults import to_fault

CHUNK = b'data: {"choices": [{"index": 0, "delta": {"content": "The tide"}}]}\n\n'


def completions(answer, silence=None):
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
    return PlainCompletions(http, "http://provider.example/v1/", {"Authorization": "Bearer key"}, silence=silence)


async def test_each_request_has_its_own_body_and_length_under_one_address():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx2.Response(200, json={"choices": []})

    endpoint = completions(answer)
    for text in ("one", "the other one"):
        await endpoint.create(messages=[text], extra_body={"usage": True})
    assert {str(request.url) for request in seen} == {"http://provider.example/v1/chat/completions"}
    assert {request.headers["authorization"] for request in seen} == {"Bearer key"}
    assert [int(request.headers["content-length"]) for request in seen] == [len(request.content) for request in seen]
    assert [json.loads(request.content)["messages"] for request in seen] == [["one"], ["the other one"]]
    assert all(json.loads(request.content)["usage"] for request in seen)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, openai.APIStatusError),
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (418, openai.APIStatusError),
        (429, openai.RateLimitError),
        (503, openai.InternalServerError),
    ],
)
async def test_an_error_status_is_an_error_of_its_kind(status, kind, stream):
    endpoint = completions(lambda _: httpx2.Response(status, json={"error": {"message": "so it is", "code": "x"}}))
    with pytest.raises(kind, match="so it is") as caught:
        await endpoint.create(stream=stream)
    assert (caught.value.status_code, caught.value.body) == (status, {"message": "so it is", "code": "x"})


async def test_an_error_that_is_no_json_is_kept_as_text():
    with pytest.raises(openai.InternalServerError) as caught:
        await completions(lambda _: httpx2.Response(502, text="<h1>Bad gateway</h1>")).create()
    assert caught.value.body == "<h1>Bad gateway</h1>"


@pytest.mark.parametrize(
    ("error", "reason"), [(httpx2.ReadTimeout("late"), "timeout"), (httpx2.ReadError("gone"), "upstream_error")]
)
async def test_a_connection_that_fails_may_be_tried_again(error, reason):
    def answer(_):
        raise error

    with pytest.raises(openai.APIConnectionError) as caught:
        await completions(answer).create()
    assert caught.value.is_retryable
    assert to_fault(caught.value).reason == reason


async def test_signs_of_life_are_no_part_of_an_answer():
    async def body():
        yield CHUNK
        while True:
            yield b": ping\n\n"
            await asyncio.sleep(0)

    with pytest.raises(TimeoutError, match="nothing of the answer came for") as caught:
        async with await completions(lambda _: httpx2.Response(200, content=body()), 0.05).create(stream=True) as parts:
            assert [part async for part in parts] == []
    assert to_fault(caught.value).reason == "timeout"


async def test_a_stream_is_read_to_its_end_so_that_its_connection_is_used_again():
    read = []

    async def body():
        for piece in (CHUNK, b"data: [DONE]\n\n", b"data: behind it\n\n"):
            read.append(piece)
            yield piece

    async with await completions(lambda _: httpx2.Response(200, content=body())).create(stream=True) as parts:
        chunks = [part async for part in parts]
    assert len(read) == 3
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, "stop"]
