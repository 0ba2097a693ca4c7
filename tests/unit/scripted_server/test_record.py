"""What is kept of a request, and what is turned down."""

import openai
import pytest

from tests.scripted_server import ScriptedServer
from tests.unit.scripted_server.talk import TOOL, USER, ask, post, said

pytestmark = pytest.mark.loopback


def test_a_request_is_kept_as_it_came(scripted):
    with openai.OpenAI(base_url=scripted.url, api_key="sk-test", default_headers={"X-Title": "Tests"}) as client:
        messages = [{"role": "system", "content": "Be brief."}, *USER]
        client.chat.completions.create(model="vendor/a", messages=messages, tools=[TOOL], temperature=0.5)
    (request,) = scripted.calls("vendor/a")
    assert (request.method, request.path, request.stream) == ("POST", "/v1/chat/completions", False)
    assert (request.headers["authorization"], request.headers["x-title"]) == ("Bearer sk-test", "Tests")
    assert (request.tools, request.body["temperature"]) == (["web_search"], 0.5)
    assert (request.prompt, request.last) == ("Be brief.\n\nWhat is a quorum?", "What is a quorum?")


def test_tool_results_are_read_out(scripted):
    call = {"id": "c1", "type": "function", "function": {"name": "web_search", "arguments": "{}"}}
    turn = [{"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "found"}]
    scripted.otherwise(lambda request: request.tool_results[0])
    assert said(scripted, messages=[*USER, *turn]) == "found"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "messages"),
        ({"model": ""}, "model"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": [*USER, {"role": "tool", "tool_call_id": "c1", "content": "x"}]}, "preceding"),
        ({"messages": [*USER, {"role": "assistant", "tool_calls": [{"id": "c1"}]}]}, "none for: c1"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c1"}]}, *USER]}, "none for: c1"),
    ],
)
def test_a_malformed_conversation_is_turned_down(scripted, body, words):
    response = ask(scripted, **body)
    assert (response.status_code, words in response.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_object_is_turned_down(scripted, content):
    response = post(f"{scripted.url}/chat/completions", content=content)
    assert response.status_code == 400


def test_a_long_prompt_arrives_whole(scripted):
    long = "x" * 3_000_000
    said(scripted, messages=[{"role": "user", "content": long}])
    assert scripted.requests[0].prompt == long


def test_a_key_can_be_required():
    with ScriptedServer(api_key="sk-right") as server:
        url, body = f"{server.url}/chat/completions", {"model": "m", "messages": USER}
        answers = [post(url, json=body, headers={"authorization": f"Bearer {key}"}) for key in ("no", "sk-right")]
    assert [answer.status_code for answer in answers] == [401, 200]
