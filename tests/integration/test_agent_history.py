"""What clients send `fusion-agent` of a conversation's past: taken where it can be read, else a 400 that says where."""

import json

import httpx
import pytest

from fusion_tool import Panelist
from tests.integration.openai_server import served, user
from tests.integration.panel import panel
from tests.scripted_server import Reply

pytestmark = pytest.mark.loopback

MAIN = "test/main"
ASK = user("Read my notes.")
DONE = {"role": "tool", "tool_call_id": "c1", "content": "1861"}
READ = {"type": "function", "function": {"name": "read_file", "parameters": {"type": "object"}}}


@pytest.fixture
def url(provider):
    provider.otherwise("In 1861.")
    with served(panel("test/one", "test/two"), agent_model=Panelist(model=f"openrouter:{MAIN}")) as url:
        yield url


def post(url, messages, **more):
    """The response to a body that no client library has checked."""
    body = {"model": "fusion-agent", "messages": messages, "tools": [READ], **more}
    return httpx.post(f"{url}/chat/completions", content=json.dumps(body).encode(), timeout=30)


def call(arguments="{}", **more):
    return {"id": "c1", "type": "function", "function": {"name": "read_file", "arguments": arguments}, **more}


def turn(*calls, **more):
    return {"role": "assistant", "tool_calls": list(calls), **more}


TAKEN = {
    "no content": [ASK, turn(call()), DONE],
    "content null": [ASK, turn(call(), content=None), DONE],
    "function_call null": [ASK, turn(call(), function_call=None), DONE],
    "every optional field null": [
        ASK | {"name": None},
        turn(call(index=None), content=None, refusal=None, audio=None, name=None, function_call=None, reasoning=None),
        DONE | {"name": None},
    ],
    "reasoning null": [
        ASK,
        turn(call(extra_content=None), reasoning_content=None, reasoning_details=None, reasoning_endpoint=None),
        DONE,
    ],
    "arguments broken off": [ASK, turn(call('{"path": "no')), DONE],
    "arguments empty": [ASK, turn(call("")), DONE],
    "arguments null": [ASK, turn(call(None)), DONE],
    "arguments an object": [ASK, turn(call({"path": "notes.md"})), DONE],
    "arguments no object": [ASK, turn(call("5")), DONE],
    "arguments half a character": [ASK, turn(call('{"path": "\\ud83d"}')), DONE],
    "id null": [ASK, turn(call() | {"id": None}), DONE | {"tool_call_id": None}],
    "ids twice": [ASK, turn(call()), DONE, ASK, turn(call()), DONE],
    "ids twice in one turn": [ASK, turn(call(), call()), DONE, DONE],
    "type missing": [ASK, turn({"id": "c1", "function": {"name": "read_file", "arguments": "{}"}}), DONE],
    "an older call": [
        ASK,
        {"role": "assistant", "content": None, "function_call": {"name": "read_file", "arguments": "{}"}},
        {"role": "function", "name": "read_file", "content": "1861"},
    ],
    "a result null": [ASK, turn(call()), DONE | {"content": None}],
    "a result in parts": [ASK, turn(call()), DONE | {"content": [{"type": "text", "text": "1861"}]}],
    "no result": [ASK, turn(call()), user("Never mind.")],
    "no result at the end": [ASK, turn(call())],
    "a tool that is no more": [ASK, turn(call() | {"function": {"name": "my.tool", "arguments": "{}"}}), DONE],
    "nothing said": [ASK, {"role": "assistant"}, ASK],
    "nothing said, null": [ASK, {"role": "assistant", "content": None, "tool_calls": None}, ASK],
    "no calls": [ASK, turn(content="Hm."), ASK],
    "a refusal": [ASK, {"role": "assistant", "content": None, "refusal": "No."}, ASK],
    "a refusal in parts": [ASK, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}, ASK],
    "a part null": [{"role": "user", "content": [{"type": "text", "text": None}, {"type": "text", "text": "Hi"}]}],
    "a developer": [{"role": "developer", "content": "Be brief."}, ASK],
    "half a character": [user("Hi \ud83d")],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("messages", TAKEN.values(), ids=TAKEN)
def test_it_is_taken(provider, url, messages, stream):
    response = post(url, messages, stream=stream)
    assert (response.status_code, "In 1861." in response.text) == (200, True)
    sent = provider.calls(MAIN)[0].messages
    calls = [call for message in sent for call in message.get("tool_calls", ())]
    ids = [call["id"] for call in calls]
    assert sorted(ids) == sorted(message["tool_call_id"] for message in sent if message["role"] == "tool")
    assert len(set(ids)) == len(ids)
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)
    assert len(calls) == sum(
        len(message.get("tool_calls") or ()) + ("content" in message and bool(message.get("function_call")))
        for message in messages
    )
    assert all(message.get("content") or message.get("tool_calls") or message["role"] == "tool" for message in sent)


REFUSED = {
    "messages.1.tool_calls": [ASK, turn() | {"tool_calls": "x"}],
    "messages.1.tool_calls.0": [ASK, turn({"id": "c1", "function": None})],
    "messages.1.tool_calls.1": [ASK, turn(call(), 5)],
    "messages.1.function_call": [ASK, {"role": "assistant", "function_call": {"arguments": "{}"}}],
    "messages.1.content": [ASK, turn(call(), content=5)],
    "messages.0.content.0.text": [{"role": "user", "content": [{"type": "text", "text": {}}]}],
    "messages.2.tool_call_id": [ASK, turn(call()), DONE | {"tool_call_id": "other"}],
    "messages.1.tool_call_id": [ASK, DONE],
    "messages.2.name": [ASK, turn(call()), {"role": "function", "name": "write_file", "content": ""}],
    "messages.0.name": [ASK | {"name": "two words"}],
    "messages.1.reasoning_content": [ASK, turn(call(), reasoning_content={"text": "x"}), DONE],
    "messages.1.reasoning_details": [ASK, turn(call(), reasoning_details="x"), DONE],
    "messages.1.tool_calls.0.extra_content": [ASK, turn(call(extra_content="x")), DONE],
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("param", "messages"), REFUSED.items(), ids=REFUSED)
def test_what_cannot_be_read_is_refused_by_its_place(provider, url, param, messages, stream):
    response = post(url, messages, stream=stream)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, param)
    assert error["message"].startswith(param)
    assert not provider.requests


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": True}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"stop": [5]}, "stop"),
        ({"max_tokens": "50"}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": -1}, "max_completion_tokens"),
        ({"tools": [READ | {"function": {"name": "f", "parameters": "x"}}]}, "tools.0.function.parameters"),
        ({"tools": [READ, READ]}, "tools.1.function.name"),
    ],
)
def test_a_field_of_the_request_is_refused_by_its_name(provider, url, more, param):
    response = post(url, [ASK], **more)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)
    assert not provider.requests


def test_null_is_as_good_as_left_out(provider, url):
    nulls = dict.fromkeys(
        ("temperature", "top_p", "seed", "stop", "max_tokens", "max_completion_tokens", "tool_choice", "stream_options")
    )
    function = {"name": "read_file", "description": None, "parameters": None, "strict": None}
    response = post(url, [ASK], **nulls, tools=[{"type": "function", "function": function}])
    assert response.status_code == 200
    body = provider.calls(MAIN)[0].body
    assert body["tools"][0] == {"type": "function", "function": {"name": "read_file"}}
    assert not {name for name, value in body.items() if value is None}


@pytest.mark.parametrize("body", [b'{"temperature": NaN}', b'{"x": ' + b"[" * 100_000])
def test_what_is_no_json_is_refused(url, body):
    response = httpx.post(f"{url}/chat/completions", content=body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_json")


LIMITS = {
    "none": ({}, None),
    "the clients": ({"max_tokens": 50}, 50),
    "the clients, by its newer name": ({"max_completion_tokens": 60}, 60),
    "the smaller of both": ({"max_tokens": 50, "max_completion_tokens": 60}, 50),
    "the operators": ({"max_tokens": 5000}, 400),
}


@pytest.mark.parametrize("limits", [{}, {"tokens": 100_000}, {"usd": 5}], ids=str)
@pytest.mark.parametrize(("more", "sent"), LIMITS.values(), ids=LIMITS)
def test_a_clients_limit_holds_under_any_limit(provider, limits, more, sent):
    provider.reply(MAIN, Reply("In 1861.", finish_reason="length"))
    main = Panelist(model=f"openrouter:{MAIN}", max_tokens=400)
    # The main model has no price: without the permission it is refused under a limit in dollars.
    with served(panel("test/one", limits=limits, allow_unpriced=True), agent_model=main) as url:
        response = post(url, [ASK], **more)
    assert response.json()["choices"][0]["finish_reason"] == "length"
    assert provider.calls(MAIN)[0].body["max_tokens"] == (sent or 400)


@pytest.mark.parametrize("stream", [False, True])
def test_a_clients_limit_that_was_spent_on_reasoning_ends_the_answer(provider, url, stream):
    provider.reply(MAIN, Reply("", reasoning="Hm.", finish_reason="length"))
    response = post(url, [ASK], max_tokens=5, stream=stream)
    assert (response.status_code, '"finish_reason": "length"' in response.text) == (200, True)
    assert provider.counts[MAIN] == 1
