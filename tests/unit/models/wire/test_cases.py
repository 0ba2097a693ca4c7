"""The recorded cases, each through the function that mends its kind."""

import json
from pathlib import Path

import pytest

from fusion_tool.models.wire.errors import error_cause, error_under_200
from fusion_tool.models.wire.leaked_reasoning import ReasoningFilter, strip_reasoning
from fusion_tool.models.wire.shapes import read_text
from fusion_tool.models.wire.sse import EventDecoder, finish_body, to_body
from fusion_tool.models.wire.streamed_reply import join_chunks
from fusion_tool.models.wire.text_calls import looks_like_tool_call, parse_text_calls
from fusion_tool.models.wire.tool_call_stream import ToolCallAssembler
from fusion_tool.models.wire.tool_calls import normalize_tool_calls

FILE = Path(__file__).parents[3] / "data" / "wire_cases.jsonl"
CASES = {case["id"]: case for case in map(json.loads, FILE.read_text().splitlines())}
OFFERED = ("web_search", "fetch_page")


def of_kind(*kinds):
    rows = [case for name, case in CASES.items() if name.split(":")[0] in kinds]
    assert rows
    return pytest.mark.parametrize("case", rows, ids=[case["id"] for case in rows])


def body_of(case):
    return json.loads(case["replies"][0]["body"])


def decoded(case):
    decoder = EventDecoder()
    return [*decoder.feed(case["replies"][0]["body"].encode()), *decoder.close()]


def call_of(message):
    function = message["tool_calls"][0]["function"]
    return {"name": function["name"], "args": json.loads(function["arguments"])}


def test_all_cases_are_here():
    assert len(CASES) == len(FILE.read_text().splitlines()) >= 59


@of_kind("tool call")
def test_tool_calls(case):
    message = normalize_tool_calls(body_of(case)["choices"][0]["message"], OFFERED)
    assert call_of(message) == case["expect"].get("tool_call", {"name": "web_search", "args": call_of(message)["args"]})
    ids = [call["id"] for call in message["tool_calls"]]
    assert all(isinstance(one, str) and one for one in ids)
    assert len(set(ids)) == len(ids)


@of_kind("tool call, streamed")
def test_streamed_tool_calls(case):
    assembler, names, texts = ToolCallAssembler(OFFERED), {}, {}
    deltas = [assembler.feed(chunk["choices"][0]["delta"]) for chunk in decoded(case)]
    for piece in [*(piece for delta in deltas for piece in delta.get("tool_calls", ())), *assembler.close()]:
        names.setdefault(piece["index"], piece["function"]["name"])
        texts[piece["index"]] = texts.get(piece["index"], "") + piece["function"]["arguments"]
    assert {"name": names[0], "args": json.loads(texts[0])} == case["expect"]["tool_call"]
    assert list(names.values()) == list(OFFERED[: len(names)])


@of_kind("tool call as text")
def test_tool_calls_as_text(case):
    text = body_of(case)["choices"][0]["message"]["content"]
    rest, calls = parse_text_calls(text, OFFERED)
    assert call_of(normalize_tool_calls({"tool_calls": calls}, OFFERED)) == {
        "name": "web_search",
        "args": {"query": "tide brest"},
    }
    assert rest in ("", "I will search first.")
    assert looks_like_tool_call(text)


@of_kind("leaked reasoning", "no leak")
def test_leaked_reasoning(case):
    text = body_of(case)["choices"][0]["message"]["content"]
    answer = text if case["id"].startswith("no leak") else case["expect"]["answer"]
    stream = ReasoningFilter()
    assert strip_reasoning(text) == answer
    assert "".join([*(stream.feed(char) for char in text), stream.close()]) == answer


@of_kind("error", "parameter", "local 404 is not remembered")
def test_errors(case):
    reply = case["replies"][0]
    cause = error_cause(reply["status"], reply["headers"], reply["body"])
    sentence = {
        "error: overflow inside metadata.raw": "This model's maximum context length is 131072 tokens",
        "error: rate limit inside metadata.raw": "m:free is temporarily rate-limited upstream. Please retry shortly",
        "error: a JSON list": "Please use a valid role: user, model.",
        "error: HTML": "400 Bad Request",
        "local 404 is not remembered": 'model "m" not found, try pulling it first',
    }
    assert cause.message == sentence.get(case["id"], cause.message)
    assert cause.status == reply["status"]
    assert cause.provider == ("X" if "metadata.raw" in case["id"] else None)


@of_kind("error under 200")
def test_errors_under_200(case):
    cause = error_under_200({}, case["replies"][0]["body"])
    assert cause.status == {"error under 200: code a string": 429, "error under 200: object error": 400}.get(case["id"])
    said = ("Rate limit exceeded", "This model's maximum context", "Service overloaded")
    assert cause.message.startswith((*said, "Slow down", "Number of requests", "Overloaded", "rate limit exceeded"))


def test_parts_of_another_interface_are_text():
    assert read_text([{"type": "output_text", "text": "The tide "}, {"text": "rose."}]) == "The tide rose."
    assert read_text({"parts": [{"text": "The tide rose."}]}) == "The tide rose."


@of_kind("stream", "no stream")
def test_streams(case):
    if "429" in case["id"]:
        assert [payload["error"]["code"] for payload in decoded(case)] == [429]
        return
    for body in (join_chunks(decoded(case)), to_body(case["replies"][0]["body"])):
        [choice] = finish_body(body)["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("The tide rose.", "stop")
