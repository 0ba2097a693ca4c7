"""The request of a response: what its items mean, what is refused, what is passed over."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool import ConfigError
from fusion_tool.servers.openai.answer_format import AnswerFormat
from fusion_tool.servers.openai.conversation import read_conversation
from fusion_tool.servers.openai.errors import ApiError
from fusion_tool.servers.openai.responses.input import read_input
from fusion_tool.servers.openai.responses.reasoning import read_reasoning, write_reasoning
from fusion_tool.servers.openai.responses.recent_items import RecentItems
from fusion_tool.servers.openai.responses.request import parse_responses_request

BODY = {"model": "fusion-agent", "input": "Why?"}
READ_FILE = {"type": "function", "name": "read_file", "parameters": {"type": "object"}, "strict": False}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "read_file", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "Rye."}
REPLY = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Rye.", "annotations": [{"type": "url_citation"}], "logprobs": []}],
}


def parse(**more):
    return parse_responses_request(RecentItems(), BODY | more, "ann")


def messages(*items, find=lambda _: None):
    return read_input(list(items), None, find)


def brief(rows):
    """Each message as its role, its text and the names of its calls."""
    return [(row["role"], row["content"], *(c["function"]["name"] for c in row.get("tool_calls", ()))) for row in rows]


USER = {"role": "user", "content": "What?"}


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([USER], [("user", "What?")]),
        ([{"type": "message", **USER}], [("user", "What?")]),
        ([{"role": "user", "content": [{"type": "input_text", "text": "What?"}]}], [("user", "What?")]),
        ([{"role": "developer", "content": "Be brief."}, USER], [("developer", "Be brief."), ("user", "What?")]),
        ([USER, REPLY, USER], [("user", "What?"), ("assistant", "Rye."), ("user", "What?")]),
        (
            [USER, {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
            [("user", "What?"), ("assistant", "No.")],
        ),
        (
            [USER, REPLY, CALL, CALL | {"call_id": "c2"}, RESULT, RESULT | {"call_id": "c2"}],
            [("user", "What?"), ("assistant", "Rye.", "read_file", "read_file"), ("tool", "Rye."), ("tool", "Rye.")],
        ),
        (
            [USER, CALL, RESULT, CALL | {"call_id": "c2"}, RESULT | {"call_id": "c2"}],
            [("user", "What?"), *[("assistant", "", "read_file"), ("tool", "Rye.")] * 2],
        ),
        (
            [USER, CALL, RESULT | {"output": [{"type": "input_text", "text": "Rye."}]}],
            [("user", "What?"), ("assistant", "", "read_file"), ("tool", "Rye.")],
        ),
        (
            [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}, USER],
            [("user", "What?")],
        ),
        ([{"type": "item_reference", "id": "rs_1"}, USER], [("user", "What?")]),
    ],
)
def test_items_become_a_conversation(items, expected):
    rows = messages(*items)
    assert brief(rows) == expected
    assert read_conversation(rows)


def test_instructions_are_the_systems_message_before_all_others():
    assert brief(parse(instructions="Be brief.").messages) == [("system", "Be brief."), ("user", "Why?")]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"store": True}, "store"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"messages": [USER]}, "messages"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "web_search"}]}, "tools.0"),
        ({"tools": [READ_FILE, {"type": "file_search", "vector_store_ids": []}]}, "tools.1"),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": "read_file"}, "tools"),
        ({"text": "json"}, "text"),
        ({"text": {"format": {"type": "xml"}}}, "text.format"),
        ({"reasoning": "low"}, "reasoning"),
        ({"instructions": ["Be brief."]}, "instructions"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": ["Why?"]}, "input.0"),
        ({"input": [{"role": "robot", "content": "x"}]}, "input.0.role"),
        ({"input": [{"role": "user", "content": 5}]}, "input.0.content"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input.0.content.0"),
        ({"input": [{"role": "user", "content": [{"type": []}]}]}, "input.0.content.0"),
        ({"input": [USER, {"type": "web_search_call"}]}, "input.1"),
        ({"input": [USER, {"type": "item_reference", "id": "msg_1"}]}, "input.1"),
        ({"input": [USER, RESULT]}, "input.1.call_id"),
        ({"input": [USER, CALL, USER, RESULT]}, "input.3.call_id"),
        ({"input": [USER, CALL | {"name": ""}]}, "input.1.name"),
        ({"input": [USER, CALL | {"arguments": {}}]}, "input.1.arguments"),
        ({"model": "fusion", "input": [USER, REPLY]}, "input"),
    ],
)
def test_what_is_not_done_here_is_refused_by_name(more, param):
    with pytest.raises(ApiError) as refused:
        parse(**more)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_what_clients_send_by_default_is_taken():
    request = parse(
        store=False,
        previous_response_id=None,
        background=False,
        include=["reasoning.encrypted_content"],
        truncation="disabled",
        parallel_tool_calls=True,
        metadata={},
        service_tier="auto",
        prompt_cache_key="k",
        text={"verbosity": "medium"},
        reasoning={"effort": "low", "summary": "auto"},
        stream_options={"include_obfuscation": False},
        tools=[READ_FILE],
        tool_choice={"type": "function", "name": "read_file"},
        temperature=1,
        max_output_tokens=100,
    )
    function = {"name": "read_file", "parameters": {"type": "object"}, "strict": False}
    assert request.tools == [{"type": "function", "function": function}]
    assert request.tool_choice == {"type": "function", "function": {"name": "read_file"}}
    assert (request.sampling["max_tokens"], request.answer_format) == (100, None)
    assert (request.echo["tools"], request.echo["store"]) == ([READ_FILE], False)
    assert request.echo["text"] == {"format": {"type": "text"}, "verbosity": "medium"}


def test_the_form_of_the_answer():
    form = {"type": "json_schema", "name": "mill", "schema": {"type": "object"}, "strict": True}
    assert parse(text={"format": form}).answer_format == AnswerFormat({"type": "object"}, "mill")


@pytest.mark.parametrize(("store", "remembered"), [({}, True), ({"store": None}, True), ({"store": False}, False)])
def test_who_says_that_nothing_may_be_stored_is_not_remembered(store, remembered):
    assert parse(**store).may_be_remembered is remembered


def test_an_item_that_is_remembered_can_be_referred_to_by_its_caller():
    recent = RecentItems()
    recent.add("ann", [REPLY])
    body = BODY | {"input": [USER, {"type": "item_reference", "id": "msg_1"}, USER]}
    assert brief(parse_responses_request(recent, body, "ann").messages)[1] == ("assistant", "Rye.")
    with pytest.raises(ApiError, match="no such item"):
        parse_responses_request(recent, body, "bob")


def test_the_memory_of_items_is_bounded_and_forgets_the_oldest():
    recent = RecentItems(most_bytes=1000)
    for number in range(50):
        recent.add("ann", [{"id": f"msg_{number}", "text": "x" * 100}])
    known = [number for number in range(50) if recent.find("ann", f"msg_{number}")]
    assert known == list(range(50 - len(known), 50))
    assert 0 < len(known) < 10
    recent.add("ann", [{"id": "msg_50", "text": "x" * 2000}])
    assert recent.find("ann", "msg_50") is None


THOUGHT = {"reasoning_content": "Read first.", "reasoning_endpoint": "e1"}
EXTRA = {"google": {"thought_signature": "s"}}


def test_what_was_thought_comes_back_as_it_went_out():
    content = write_reasoning(THOUGHT, [{"id": "c1", "extra_content": EXTRA}, {"id": "c2"}])
    assert read_reasoning({"encrypted_content": content}) == (THOUGHT, {"c1": EXTRA})
    (turn, _) = messages({"type": "reasoning", "encrypted_content": content}, CALL, RESULT)
    assert (turn["reasoning_content"], turn["tool_calls"][0]["extra_content"]) == ("Read first.", EXTRA)


def test_nothing_thought_is_no_item():
    assert write_reasoning({}, [{"id": "c1"}]) is None


@given(st.one_of(st.none(), st.integers(), st.text(), st.binary().map(lambda raw: f"fusion-1.{raw!r}")))
def test_reasoning_that_is_not_ours_is_never_an_error(content):
    item = {"type": "reasoning", "encrypted_content": content}
    assert read_reasoning(item) == ({}, {})
    assert brief(messages(item, USER)) == [("user", "What?")]


LEAVES = st.none() | st.booleans() | st.integers() | st.text()
VALUES = st.recursive(LEAVES, lambda value: st.lists(value) | st.dictionaries(st.text(), value))
KEYS = st.sampled_from(["reasoning", "reasoning_details", "reasoning_endpoint", "x"])


@given(st.one_of(VALUES, st.tuples(st.dictionaries(KEYS, VALUES), st.dictionaries(st.text(), VALUES))))
def test_reasoning_that_was_changed_on_the_way_is_never_an_error(value):
    content = "fusion-1." + base64.urlsafe_b64encode(json.dumps(value).encode()).decode()
    rows = messages({"type": "reasoning", "encrypted_content": content}, CALL, RESULT, USER)
    assert read_conversation(rows)


FIELDS = st.sampled_from(["input", "instructions", "text", "tools", "tool_choice", "reasoning", "fusion", "include"])
NAMES = st.sampled_from(["type", "role", "content", "call_id", "name", "arguments", "output", "id", "format", "text"])
WORDS = st.sampled_from(["message", "user", "assistant", "function_call", "function_call_output", "input_text", "c1"])
NODES = st.recursive(LEAVES | WORDS, lambda value: st.lists(value, max_size=4) | st.dictionaries(NAMES, value))


@given(st.dictionaries(FIELDS, NODES))
def test_any_body_is_read_or_refused(body):
    try:
        request = parse(**body)
    except (ApiError, ConfigError):
        return
    with contextlib.suppress(ApiError):
        read_conversation(request.messages)
