"""Answers of a form: what OpenAI's own client asks for and reads, from the panel and from `fusion-agent`."""

import json

import httpx
import openai
import pytest
from pydantic import BaseModel

from fusion_tool import Panelist
from tests.integration.openai_server import client, served, user
from tests.integration.panel import JUDGE, QUESTION, WRITER, panel, verdict
from tests.scripted_server import Reply, ToolCall, faults

pytestmark = pytest.mark.loopback

MAIN = "test/main"
MILL = {"built": 1861, "rivers": ["Alder"]}
ANSWER = json.dumps(MILL)
MODES = pytest.mark.parametrize("stream", [False, True])
MODELS = pytest.mark.parametrize(("model", "writer"), [("fusion", WRITER), ("fusion-agent", MAIN)])


class Mill(BaseModel):
    """A mill."""

    built: int
    rivers: list[str]


@pytest.fixture
def url(provider):
    provider.reply(JUDGE, verdict())
    provider.reply(WRITER, ANSWER)
    provider.reply(MAIN, ANSWER)
    main = Panelist(model=f"openrouter:{MAIN}")
    with served(panel("test/one", "test/two"), agent_model=main) as url:
        yield url


def create(url, model, *, stream=False, **more):
    reply = client(url).chat.completions.create(model=model, messages=[user(QUESTION)], stream=stream, **more)
    if not stream:
        return reply.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in reply)


@MODELS
def test_openais_own_parser_reads_it(provider, url, model, writer):
    reply = client(url).chat.completions.parse(model=model, messages=[user(QUESTION)], response_format=Mill)
    assert reply.choices[0].message.parsed == Mill(**MILL)
    (written,) = provider.calls(writer)
    assert written.body["response_format"]["json_schema"]["schema"]["required"] == ["built", "rivers"]
    assert '"rivers"' in written.prompt


@MODELS
def test_its_stream_is_read_too(url, model, writer):  # noqa: ARG001 - the pair is one parameter
    with client(url).chat.completions.stream(model=model, messages=[user(QUESTION)], response_format=Mill) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == Mill(**MILL)


@MODES
@MODELS
def test_any_object_is_asked_for_as_such(provider, url, model, writer, stream):
    assert create(url, model, stream=stream, response_format={"type": "json_object"}) == ANSWER
    assert provider.calls(writer)[0].body["response_format"] == {"type": "json_object"}


@MODELS
def test_plain_text_is_no_form(provider, url, model, writer):
    assert create(url, model, response_format={"type": "text"}) == ANSWER
    assert "response_format" not in provider.calls(writer)[0].body


@MODELS
def test_a_writer_that_knows_no_schema_is_asked_in_prose(provider, url, model, writer):
    provider.reply(writer, faults.unsupported("response_format"), ANSWER)
    assert create(url, model, response_format={"type": "json_object"}) == ANSWER
    assert [("response_format" in call.body) for call in provider.calls(writer)] == [True, False]


def test_what_is_not_of_the_form_is_not_repeated_either_where_it_comes_out_of_the_cache(
    provider, tmp_path, monkeypatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    provider.reply(WRITER, "It was built in 1861.")
    body = {"model": "fusion", "messages": [user(QUESTION)], "response_format": {"type": "json_object"}}
    with served(panel("test/one", cache=True)) as url:
        first, second = [httpx.post(f"{url}/chat/completions", json=body, timeout=60) for _ in range(2)]
    assert len(provider.calls(WRITER)) == 1
    for refused in (first, second):
        assert (refused.status_code, refused.headers["x-should-retry"]) == (400, "false")
        assert "retry-after" not in refused.headers
        assert refused.json()["error"]["code"] == "invalid_output"


@MODES
@MODELS
def test_what_is_not_of_the_form_is_an_error_that_holds_the_answer(provider, url, model, writer, stream):
    provider.reply(writer, "It was built in 1861.")
    body = {"model": model, "messages": [user(QUESTION)], "stream": stream, "response_format": {"type": "json_object"}}
    response = httpx.post(f"{url}/chat/completions", json=body, timeout=60)
    if response.headers["content-type"].startswith("text/event-stream"):
        (last,) = [line for line in response.text.splitlines() if line.startswith("data: {")][-1:]
        error = json.loads(last.removeprefix("data: "))["error"]
        assert "1861" not in "".join(line for line in response.text.splitlines() if '"delta"' in line)
    else:
        error = response.json()["error"]
        assert response.headers["x-should-retry"] == "false"
    assert (error["code"], error["answer"]) == ("invalid_output", "It was built in 1861.")
    with pytest.raises(openai.APIError, match="not of the schema"):
        create(url, model, stream=stream, response_format={"type": "json_object"})


@MODES
def test_what_the_main_model_says_before_research_is_no_part_of_the_object(provider, url, stream):
    research = ToolCall("fusion_research", {"question": QUESTION})
    provider.reply(MAIN, Reply("Let me look.", tool_calls=(research,)), ANSWER)
    assert create(url, "fusion-agent", stream=stream, response_format={"type": "json_object"}) == ANSWER


@MODES
def test_a_call_of_the_clients_tool_comes_before_the_object(provider, url, stream):
    tool = {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}
    provider.reply(MAIN, Reply("I read it first.", tool_calls=(ToolCall("read_file", {"path": "a"}),)))
    form = {"type": "json_object"}
    assert create(url, "fusion-agent", stream=stream, response_format=form, tools=[tool]) == "I read it first."
