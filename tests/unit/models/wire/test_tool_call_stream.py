"""Streamed tool calls: whatever the pieces look like, LangChain's merge makes the calls that were meant."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from fusion_tool.models.wire.tool_call_stream import ToolCallAssembler

OFFERED = ("web_search", "fetch_page", "web")
MODEL = ChatOpenAI(model="m", base_url="http://provider.example/v1", api_key="key")


def piece(name=None, arguments=None, **fields):
    return {**fields, "type": "function", "function": {"name": name, "arguments": arguments}}


def fed(deltas, offered=OFFERED, used=()):
    assembler = ToolCallAssembler(offered, used)
    return [*(assembler.feed(delta) for delta in deltas), {"tool_calls": assembler.close()}]


def merged(deltas, **options):
    """The calls that LangChain makes of the pieces: name, arguments and id of each."""
    whole = AIMessageChunk("")
    for delta in fed(deltas, **options):
        chunk = {"choices": [{"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": None}]}
        whole += MODEL._convert_chunk_to_generation_chunk(chunk, AIMessageChunk, None).message
    return [(call["name"], call["args"], call["id"]) for call in whole.tool_calls]


SEARCH, FETCH = ("web_search", {"query": "x"}), ("fetch_page", {"url": "u"})


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        ([[piece("web_search", '{"query": "x"}', id="a")]], [(*SEARCH, "a")]),
        (
            [[piece("web_search", '{"query": "x"}', id="a")], [piece("fetch_page", '{"url": "u"}', id="b")]],
            [(*SEARCH, "a"), (*FETCH, "b")],
        ),
        ([[piece("web_search", '{"query": "x"}'), piece("fetch_page", '{"url": "u"}')]], [SEARCH, FETCH]),
        (  # every call at index 0
            [
                [piece("web_search", '{"query":', index=0, id="a")],
                [piece(None, '"x"}', index=0)],
                [piece("fetch_page", '{"url":', index=0, id="b")],
                [piece(None, '"u"}', index=0)],
            ],
            [(*SEARCH, "a"), (*FETCH, "b")],
        ),
        (  # the same, without ids
            [
                [piece("web_search", '{"query": "x"}', index=0)],
                [piece("web_search", '{"query": "y"}', index=0)],
            ],
            [SEARCH, ("web_search", {"query": "y"})],
        ),
        (  # name and id in each chunk
            [
                [piece("web_search", '{"query": ', index=0, id="a")],
                [piece("web_search", '"x"}', index=0, id="a")],
                [piece("web_search", "", index=0, id="a")],
            ],
            [(*SEARCH, "a")],
        ),
        (  # a new id in each chunk
            [[piece("web_search", '{"query": ', id="a1")], [piece("web_search", '"x"}', id="a2")]],
            [(*SEARCH, "a1")],
        ),
        ([[piece("web_", None, index=0, id="a")], [piece("search", '{"query": "x"}', index=0)]], [(*SEARCH, "a")]),
        ([[piece("web", None, index=0)], [piece("web_search", '{"query": "x"}', index=0)]], [SEARCH]),
        ([[piece("web", "{}", index=0, id="a")]], [("web", {}, "a")]),
        (  # interleaved, indexes as texts, one id for both
            [
                [piece("web_search", "", index="0", id="a"), piece("fetch_page", "", index="1", id="a")],
                [piece(None, '{"query"', index="0")],
                [piece(None, '{"url": ', index="1")],
                [piece(None, ': "x"}', index="0"), piece(None, '"u"}', index="1")],
            ],
            [(*SEARCH, "a"), (*FETCH, "call00001")],
        ),
        ([[piece("web_search", {"query": "x"}, index=0)], [piece("web_search", {"query": "x"}, index=0)]], [SEARCH]),
        ([[piece("web_search", '{"query": "x"}', index=0)], [{"index": 0, "function": None}], [{}]], [SEARCH]),
        ([[piece("web_search", "{}", index=0, id="a")], [piece(None, '{"query": "x"}', index=0)]], [(*SEARCH, "a")]),
        ([[piece("web_search", '{"query": "x"}', id="a")], [piece(None, '{"query": "x"}', id="a")]], [(*SEARCH, "a")]),
        ([[piece("web_search", '"{\\"que', index=0)], [piece(None, 'ry\\": \\"x\\"}"', index=0)]], [SEARCH]),
        ([[piece("web_search", "```json\n{", index=0)], [piece(None, '"query": "x"}\n```', index=0)]], [SEARCH]),
        ([[piece("functions.web_search", "", index=0, id="a")]], [("web_search", {}, "a")]),
        (
            [[piece("web_search", None, index=0, id=None)], [piece(None, '{"query": "x"}', index=0, id="late")]],
            [SEARCH],
        ),
        ([[piece("web_search", '{"query": ', index=0, id="a")], [piece(None, '"x"}', index=4)]], [(*SEARCH, "a")]),
        ([[piece("web_search", '{"query": ', index=0, id=9)], [piece(None, '"x"}', id=9)]], [(*SEARCH, "9")]),
    ],
)
def test_pieces_make_the_calls_that_were_meant(chunks, calls):
    made = merged([{"tool_calls": chunk} for chunk in chunks])
    assert [one[:2] for one in made] == [one[:2] for one in calls]
    for got, wanted in zip(made, calls, strict=True):
        assert isinstance(got[2], str)
        assert got[2] == wanted[2] if wanted[2:] else got[2]


def test_the_older_function_call_is_one_too():
    deltas = [
        {"function_call": {"name": "web_search", "arguments": ""}},
        {"function_call": {"arguments": '{"query": "x"}'}},
    ]
    assert [one[:2] for one in merged(deltas)] == [SEARCH]


def test_ids_differ_from_those_of_the_conversation():
    [made] = merged([{"tool_calls": [piece("web_search", '{"query": "x"}', id="a")]}], used={"a"})
    assert made[2] == "call00001"


def test_text_and_arguments_go_on_as_they_come():
    deltas = [
        {"content": "I search.", "tool_calls": [piece("web_search", '{"query": ', index=0, id="a")]},
        {"tool_calls": [piece(None, '"x"}', index=0)]},
    ]
    first, second, rest = fed(deltas)
    assert first["content"] == "I search."
    assert first["tool_calls"][0]["function"] == {"name": "web_search", "arguments": '{"query": '}
    assert second["tool_calls"][0]["function"] == {"name": None, "arguments": '"x"}'}
    assert rest["tool_calls"] == []


def test_fields_beside_the_protocol_go_on_with_the_piece():
    signature = {"google": {"thought_signature": "U0lH"}}
    [delta, _] = fed([{"tool_calls": [piece("web_search", '{"query": "x"}', index=0, extra_content=signature)]}])
    assert delta["tool_calls"][0]["extra_content"] == signature


calls = st.lists(
    st.tuples(
        st.sampled_from(OFFERED),
        st.dictionaries(st.text(max_size=4), st.text(max_size=6) | st.integers(), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
    unique_by=json.dumps,
)


@given(calls, st.data())
def test_however_the_pieces_are_cut_and_marked_the_calls_are_the_same(calls, data):
    marks = data.draw(st.sampled_from(["protocol", "no index", "index 0", "texts", "all again"]))
    chunks = []
    for place, (name, arguments) in enumerate(calls):
        text = json.dumps(arguments, ensure_ascii=data.draw(st.booleans()))
        cut = data.draw(st.integers(1, len(text)))
        index = {"no index": {}, "index 0": {"index": 0}, "texts": {"index": str(place)}}.get(marks, {"index": place})
        head = {"id": f"id{place}", **index}
        again = (name, head) if marks == "all again" else (None, index)
        chunks += [[piece(name, text[:cut], **head)], [piece(again[0], text[cut:], **again[1])]]
    made = merged([{"tool_calls": chunk} for chunk in chunks])
    assert made == [(name, arguments, f"id{place}") for place, (name, arguments) in enumerate(calls)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.just('{"a": 1}'),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "index", "function", "name", "arguments", "x"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(st.lists(st.dictionaries(st.sampled_from(["tool_calls", "function_call", "content"]), values), max_size=4))
def test_nothing_that_a_provider_sends_raises(deltas):
    pieces = [one for delta in fed(deltas) for one in delta.get("tool_calls", ())]
    heads = [one for one in pieces if one["id"] is not None]
    assert len({one["id"] for one in heads}) == len(heads) == len({one["index"] for one in pieces})
    assert all(isinstance(one["function"]["arguments"], str) for one in pieces)
