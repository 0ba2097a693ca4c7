"""Streams and bodies as servers really send them: the answer is kept, an error is one, and nothing is guessed."""

import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage

from fusion_tool.config.schema import Panelist
from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.models.streaming import FirstToken, MessageStream, StreamBrokenError
from fusion_tool.models.wire.sse import EventDecoder, finish_body, to_body
from fusion_tool.models.wire.streamed_reply import join_chunks


def chunk(content=None, finish_reason=None, **fields):
    delta = {} if content is None else {"role": "assistant", "content": content}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"id": "g1", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **fields}


def events(*payloads, between="\n\n", done="data: [DONE]"):
    data = [f"data: {payload if isinstance(payload, str) else json.dumps(payload)}" for payload in payloads]
    return between.join([*data, *([done] if done else [])]) + between


USAGE = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
CHUNKS = (chunk(""), chunk("The tide "), chunk("rose."), chunk(None, "stop"), {"choices": [], "usage": USAGE})
FIRST, REST = events(*CHUNKS[:2], done=""), events(*CHUNKS[2:])
WHOLE = {
    "id": "g1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "The tide rose."}, "finish_reason": "stop"}],
    "usage": USAGE,
}
OPEN_ENDED = {**WHOLE, "choices": [{**WHOLE["choices"][0], "finish_reason": None}]}

ANSWERS = {
    "the standard": events(*CHUNKS),
    "retry first": "retry: 3000\n\n" + events(*CHUNKS),
    "empty data": "data:\n\ndata: \n\n" + events(*CHUNKS),
    "an event without data": FIRST + "event: ping\n\nid: 7\n\n" + REST,
    "comments": ": OPENROUTER PROCESSING\n\n" + FIRST + ": ping\n\n" + REST,
    "ids and pings": "id: 0\n" + FIRST + ": ping\n\nid: 3\n\n" + REST,
    "signs of life as data": FIRST + 'data: ping\n\ndata: null\n\ndata: []\n\ndata: {"type": "ping"}\n\n' + REST,
    "a byte order mark": "\ufeff" + events(*CHUNKS),
    "no space": events(*CHUNKS).replace("data: ", "data:"),
    "carriage returns": events(*CHUNKS, between="\r\n\r\n"),
    "carriage returns alone": events(*CHUNKS, between="\r\r"),
    "data on two lines": f"data: {json.dumps(CHUNKS[1])[:-1]}\ndata: }}\n\n" + REST,
    "no last blank line": events(*CHUNKS).rstrip(),
    "no finish reason": events(*CHUNKS[:3]),
    "a named event": events(*CHUNKS).replace("data: {", "event: message\ndata: {"),
    "done with a space": events(*CHUNKS).replace("[DONE]", " [DONE] "),
    "no done": events(*CHUNKS, done=""),
    "a whole message as the event": events(WHOLE),
    "a JSON body": json.dumps(WHOLE),
    "a JSON body, pretty": json.dumps(WHOLE, indent=2),
    "a JSON body without finish reason": json.dumps(OPEN_ENDED),
    "a JSON text a line": "\n".join(map(json.dumps, CHUNKS)),
    "chunks in a list": json.dumps(CHUNKS),
}

PAGE = "no answer in the form of an OpenAI-compatible API, but a web page"
ERRORS = {
    "an error as JSON": ('{"error": {"message": "Rate limit exceeded", "code": 429}}', "Rate limit exceeded", 429),
    "its code a text": ('{"error": {"message": "Rate limit exceeded", "code": "429"}}', "Rate limit exceeded", 429),
    "an error event": (FIRST + events({"error": {"message": "boom", "code": 502}}), "boom", 502),
    "a text as the error": (events({"error": "boom"}), "boom", None),
    "an event named error": ('event: error\ndata: {"message": "boom"}\n\n', "boom", None),
    "an event named error, no JSON": ("event: error\ndata: boom\n\n", "boom", None),
    "an error in a choice": (events({"choices": [{"error": {"message": "boom", "code": 504}}]}), "boom", 504),
    "a page": ("<html><title>Sign in</title></html>", f"{PAGE}: Sign in", None),
    "nothing": ("", "the provider sent a stream without an answer", None),
    "nothing but comments": (": ping\n\n: ping\n\n", "the provider sent a stream without an answer", None),
    "a broken chunk": (FIRST + 'data: {"choices": [{"del\n\n', "a chunk of the provider's stream is not JSON", None),
}


def decoded(body, size=1 << 20):
    decoder, raw = EventDecoder(), body if isinstance(body, bytes) else body.encode()
    pieces = [raw[place : place + size] for place in range(0, len(raw), size)]
    return [*(chunk for piece in pieces for chunk in decoder.feed(piece)), *decoder.close()]


def client(body, kind):
    """A chat model whose server answers with `body`, and whose stream is read with this decoder."""
    reply = httpx2.Response(200, headers={"content-type": kind}, content=body.encode())
    transport = httpx2.MockTransport(lambda _: reply)
    return OpenAICompatibleChat(
        model="m",
        base_url="http://provider.example/v1",
        api_key="key",
        max_retries=0,
        stream_usage=True,
        http_async_client=httpx2.AsyncClient(transport=transport),
    )


async def streamed(model, pieces=None):
    listener = [].append if pieces is None else pieces.append
    return await MessageStream(FirstToken(Panelist(model="openai:m")), listener).attempt(
        model, [HumanMessage("How high?")]
    )


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
@pytest.mark.parametrize("case", ANSWERS)
async def test_the_client_streams_the_answer(case, kind):
    pieces = []
    whole = await streamed(client(ANSWERS[case], kind), pieces)
    assert whole.text == "".join(pieces) == "The tide rose."
    assert whole.response_metadata["finish_reason"] == "stop"


@pytest.mark.parametrize("case", ERRORS)
async def test_the_client_raises_the_error(case):
    body, message, code = ERRORS[case]
    with pytest.raises(Exception, match=message) as caught:
        await streamed(client(body, "text/event-stream"))
    failed = caught.value.error if isinstance(caught.value, StreamBrokenError) else caught.value
    assert failed.body["code"] == code


@pytest.mark.parametrize("case", ANSWERS)
def test_a_body_of_events_is_the_whole_reply(case):
    body = finish_body(to_body(ANSWERS[case]))
    [choice] = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "The tide rose."}
    assert choice["finish_reason"] == "stop"
    assert body["model"] == "m"
    assert "usage" not in body or body["usage"] == USAGE


@pytest.mark.parametrize("case", ERRORS)
def test_a_body_of_an_error_is_the_error(case):
    body, message, code = ERRORS[case]
    error = to_body(body)["error"]
    assert (error["message"], error["code"]) == (message, code)


@given(st.sampled_from([*ANSWERS.values(), *(body for body, _, _ in ERRORS.values())]), st.integers(1, 40))
def test_however_the_bytes_are_cut_the_events_are_the_same(body, size):
    assert decoded(body, size) == decoded(body)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode), st.booleans())
def test_nothing_that_a_server_sends_raises(raw, as_data):
    assert all(isinstance(part, dict) for part in decoded((b"data: " if as_data else b"") + raw))


def test_a_stream_that_breaks_off_says_no_reason_to_finish():
    assert all(not part["choices"][0]["finish_reason"] for part in decoded(FIRST))


def test_an_empty_answer_is_one_that_says_nothing():
    [end] = decoded("data: [DONE]\n\n")
    assert end["choices"][0]["finish_reason"] == "stop"


def test_bytes_that_are_no_text_are_replaced():
    assert decoded(b'data: {"choices": [{"delta": {"content": "t\xffde"}}]}\n\n')[0]["choices"][0]["delta"] == {
        "content": "t\ufffdde"
    }


def test_joined_chunks_have_their_tool_calls_and_reasoning():
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "web_search", "arguments": '{"query":'}}
    rest = {"index": 0, "function": {"arguments": ' "x"}'}}
    deltas = [{"reasoning": "hm "}, {"reasoning": "hm"}, {"tool_calls": [call]}, {"tool_calls": [rest]}]
    body = join_chunks({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas)
    message = body["choices"][0]["message"]
    assert message["reasoning"] == "hm hm"
    assert message["tool_calls"][0]["function"] == {"name": "web_search", "arguments": '{"query": "x"}'}
    assert finish_body(body)["choices"][0]["finish_reason"] == "tool_calls"


def test_a_whole_message_in_place_of_chunks_keeps_its_calls():
    call = {"id": "a", "type": "function", "function": {"name": "web_search", "arguments": "{}"}}
    choice = {"index": 0, "message": {"role": "assistant", "content": None, "tool_calls": [call, None]}}
    [first, end] = decoded(json.dumps({"choices": [choice]}))
    [shown], [ended] = first["choices"], end["choices"]
    assert shown["delta"]["tool_calls"] == [{**call, "index": 0}, {"index": 1}]
    assert ended["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("done", ["data: [DONE]\n\n", ""])
@pytest.mark.parametrize("reasons", [["length", "length"], ["stop", "length"], ["length", None]], ids=str)
def test_a_reason_to_finish_that_comes_twice_is_said_once(done, reasons):
    told = decoded(FIRST + events(*(chunk(finish_reason=reason) for reason in reasons)) + done)
    chunks = [part["choices"][0] for part in told]
    assert [choice["finish_reason"] for choice in chunks if choice["finish_reason"]] == ["length"]
