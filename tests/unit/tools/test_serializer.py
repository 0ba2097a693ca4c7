"""What a database of one's own gives back: plain data and messages; whatever else a row names is not even looked up."""

import json
import pickle

import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core import messages
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Overwrite, Send

from fusion_tool.tools.serializer import PlainSerializer, UnreadableRowError

SERDE = PlainSerializer()
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
CALL = {"name": "web_search", "args": {"query": "mill"}, "id": "1", "type": "tool_call"}
SAID = [
    messages.HumanMessage("How old?", id="1", name="Ann"),
    messages.HumanMessage([{"type": "text", "text": "How old?"}]),
    messages.SystemMessage("Be brief."),
    messages.AIMessage("Old.", tool_calls=[CALL], response_metadata={"fusion": {"answer": "Old."}}),
    messages.AIMessage("Old.", usage_metadata={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    messages.AIMessageChunk("Ol"),
    messages.ToolMessage("1861", tool_call_id="1", artifact={"url": "https://a.example"}),
    messages.ChatMessage("Hm.", role="critic"),
    messages.RemoveMessage(id="1"),
]


def ext(code, *parts):
    return ormsgpack.packb({"messages": [ormsgpack.Ext(code, ormsgpack.packb(parts))]})


@given(PLAIN)
def test_plain_data_comes_back_as_it_was(value):
    kind, raw = SERDE.dumps_typed(value)
    if kind == "bytes":  # alone, as no channel of this package's is
        return
    assert SERDE.loads_typed((kind, raw)) == value


@pytest.mark.parametrize("said", SAID, ids=lambda one: type(one).__name__)
def test_messages_come_back_as_they_were(said):
    assert SERDE.loads_typed(JsonPlusSerializer().dumps_typed({"messages": [said]})) == {"messages": [said]}


def test_what_a_graph_writes_of_its_own_comes_back_with_messages_in_it():
    written = [Send("panelist", {"messages": SAID}), Overwrite([{"seat": "a"}])]
    assert SERDE.loads_typed(SERDE.dumps_typed(written)) == written


@pytest.fixture
def called(monkeypatch):
    """What a crafted row gets to call."""
    calls = []
    monkeypatch.setattr("os.system", lambda *given: calls.append(given))
    monkeypatch.setattr("builtins.eval", lambda *given: calls.append(given))
    return calls


class Reduced:
    def __reduce__(self):
        return eval, ("1 + 1",)


LC = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "prompts", "PromptTemplate"],
    "kwargs": {"template": "x"},
}
CRAFTED = {
    "one argument": ("msgpack", ext(0, "os", "system", "true"), "os.system"),
    "arguments": ("msgpack", ext(1, "builtins", "eval", ["1 + 1"]), "builtins.eval"),
    "keywords": ("msgpack", ext(2, "subprocess", "Popen", {"args": "true"}), "subprocess.Popen"),
    "a method": ("msgpack", ext(3, "os", "path", "true", "system"), "os.path"),
    "pydantic 1": ("msgpack", ext(4, "subprocess", "Popen", {"args": "true"}), "subprocess.Popen"),
    "pydantic 2": (
        "msgpack",
        ext(5, "subprocess", "Popen", {"args": "true"}, "model_validate_json"),
        "subprocess.Popen",
    ),
    "an array": ("msgpack", ext(6, "|O", [1], "C", b"12345678"), "|O"),
    "no such kind": ("msgpack", ext(99, "a", "b", "c"), "a.b"),
    "a message's name for another kind": (
        "msgpack",
        ext(0, "langchain_core.messages.human", "HumanMessage", "x"),
        "langchain_core.messages.human.HumanMessage",
    ),
    "within a message": (
        "msgpack",
        ext(
            5,
            "langchain_core.messages.human",
            "HumanMessage",
            {"content": ormsgpack.Ext(0, ormsgpack.packb(("os", "system", "true")))},
        ),
        "os.system",
    ),
    "a compiled pattern, which LangGraph calls safe": ("msgpack", ext(1, "re", "compile", ["(a+)+$"]), "re.compile"),
    "an ext that is no list": ("msgpack", ormsgpack.packb(ormsgpack.Ext(0, ormsgpack.packb({"a": 1}))), "kind 0"),
    "a message of nothing": (
        "msgpack",
        ext(5, "langchain_core.messages.human", "HumanMessage", {"content": 5}),
        "broken",
    ),
    "half a row": ("msgpack", b"\x92\x01", "broken"),
    "pickle": ("pickle", pickle.dumps(Reduced()), "pickle"),
    "json": ("json", json.dumps({"lc": 2, "type": "constructor", "id": ["os", "system"], "args": ["true"]}), "json"),
    "json of LangChain's": ("json", json.dumps(LC), "json"),
}


@pytest.mark.parametrize("row", CRAFTED)
def test_a_crafted_row_is_refused_by_name_and_calls_nothing(called, row):
    kind, raw, named = CRAFTED[row]
    with pytest.raises(UnreadableRowError) as refused:
        SERDE.loads_typed((kind, raw))
    assert named in refused.value.message
    assert "\n" not in refused.value.message
    assert called == []


def test_langgraphs_own_reader_would_have_called_it(called):
    JsonPlusSerializer(allowed_msgpack_modules=True).loads_typed(CRAFTED["one argument"][:2])
    assert called == [("true",)]
