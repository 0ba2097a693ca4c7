"""Tool calls of whole messages: whatever came, LangChain gets calls that it can read or report."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.models.openai_compatible import OpenAICompatibleChat
from fusion_tool.models.wire.arguments import read_arguments
from fusion_tool.models.wire.tool_calls import NO_OBJECT, normalize_tool_calls, used_call_ids
from fusion_tool.models.wire.tool_names import match_name

OFFERED = ("web_search", "fetch_page")
QUERY = {"query": "tide brest"}
TEXT = json.dumps(QUERY)
MODEL = OpenAICompatibleChat(model="m", base_url="http://provider.example/v1", api_key="key")

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(TEXT),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "type", "index", "function", "name", "arguments", "args", "input", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def call(arguments=TEXT, name="web_search", call_id="call_1", **extras):
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}, **extras}


def normalized(*calls, used=()):
    return normalize_tool_calls({"role": "assistant", "content": None, "tool_calls": list(calls)}, OFFERED, used)


def parsed(message):
    """What LangChain makes of a message."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}
    return MODEL.read_reply({"choices": [choice]}).generations[0].message


@pytest.mark.parametrize(
    ("raw", "arguments"),
    [
        (TEXT, QUERY),
        (QUERY, QUERY),
        (json.dumps(TEXT), QUERY),
        (json.dumps(json.dumps(TEXT)), QUERY),
        (f"```json\n{TEXT}\n```", QUERY),
        (f"```\n{TEXT}", QUERY),
        ("{'query': 'tide brest'}", QUERY),
        ('{"query": "tide brest",}', QUERY),
        ('{query: "tide brest"}', QUERY),
        (f"{TEXT}}}", QUERY),
        (f"{TEXT}</tool_call>", QUERY),
        (f"{{}}{TEXT}", QUERY),
        ([QUERY], QUERY),
        ('{"query": "two\nlines"}', {"query": "two\nlines"}),
        ('{"year": NaN}', {"year": None}),
        (None, {}),
        ("", {}),
        (" \n", {}),
        ("null", {}),
        ("{}", {}),
        ([], {}),
        ("[1, 2]", None),
        (5, None),
        (True, None),
        ("tide brest", None),
        ('{"query": "tide br', None),
        (f"{TEXT} and then some", None),
        ("[" * 100_000, None),
        ("9" * 5000, None),
    ],
)
def test_arguments_are_an_object_or_a_call_that_is_reported(raw, arguments):
    assert read_arguments(raw) == arguments
    message = parsed(normalized(call(raw)))
    if arguments is None:
        assert not message.tool_calls
        assert [invalid["name"] for invalid in message.invalid_tool_calls] == ["web_search"]
    else:
        assert [made["args"] for made in message.tool_calls] == [arguments]


def test_arguments_that_are_json_but_no_object_say_so():
    assert normalized(call("[1, 2]"))["tool_calls"][0]["function"]["arguments"] == f"{NO_OBJECT}[1, 2]"


@pytest.mark.parametrize(
    "raw",
    [
        "web_search",
        "functions.web_search",
        "default_api.web_search",
        "tools.web_search",
        "functions.web_search:0",
        "mcp__server__web_search",
        "server/web_search",
        "<|channel|>commentary to=functions.web_search",
        "web_search<|channel|>commentary",
        "web_search <|constrain|>json",
        "Web_Search",
        "WebSearch",
        "web search",
        "web-search",
        " web_search\n",
        "`web_search`",
        "web_search()",
    ],
)
def test_a_name_means_the_offered_tool(raw):
    assert match_name(raw, OFFERED) == "web_search"


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("google_search", "google_search"),
        ("browser.open", "browser_open"),
        ("", "unknown_tool"),
        (None, "unknown_tool"),
        (7, "unknown_tool"),
        ("日本", "unknown_tool"),
        ("x" * 500, "x" * 64),
    ],
)
def test_a_name_that_was_not_offered_stays_one_that_providers_take_back(raw, name):
    assert match_name(raw, OFFERED) == name


def test_a_name_that_two_offered_tools_share_is_not_guessed():
    assert match_name("websearch", ("web_search", "web-search")) == "websearch"


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a"], ["a", "call00001"]),
        ([None, ""], ["call00001", "call00002"]),
        ([7, {}], ["7", "call00001"]),
        (["call00001", None], ["call00001", "call00002"]),
    ],
)
def test_ids_are_texts_and_unique(raw, ids):
    message = normalized(*(call(call_id=one) for one in raw))
    assert [made["id"] for made in message["tool_calls"]] == ids


def test_ids_are_unique_in_the_conversation():
    used = used_call_ids([{"role": "assistant", "tool_calls": [call()]}, {"role": "tool"}, {"tool_calls": None}])
    assert normalized(call(), used=used)["tool_calls"][0]["id"] == "call00001"


@pytest.mark.parametrize(
    "message",
    [
        {"function_call": {"name": "web_search", "arguments": TEXT}},
        {"tool_calls": None, "function_call": {"name": "web_search", "arguments": TEXT}},
        {"tool_calls": [call()], "function_call": {"name": "web_search", "arguments": TEXT}},
        {"tool_calls": [[call()]]},
        {"tool_calls": call()},
        {"tool_calls": {"0": call()}},
        {"tool_calls": json.dumps([call()])},
        {"tool_calls": [{"function": {"name": "web_search", "arguments": TEXT}}]},
        {"tool_calls": [{"name": "web_search", "arguments": QUERY}]},
        {"tool_calls": [{"function": "web_search", "arguments": QUERY}]},
        {"tool_calls": [{"type": "tool_use", "id": "a", "name": "web_search", "input": QUERY}]},
        {"tool_calls": [{"type": "function_call", "call_id": "a", "name": "web_search", "arguments": TEXT}]},
        {"tool_calls": [call(), {"id": "x", "function": None}]},
    ],
)
def test_every_form_of_a_call_is_one_call(message):
    [made] = parsed(normalize_tool_calls(message, OFFERED)).tool_calls
    assert (made["name"], made["args"]) == ("web_search", QUERY)


@pytest.mark.parametrize("entry", [{"id": "a", "function": None}, {}, None, 5, [[]], "x"])
def test_a_call_that_says_nothing_is_still_told_to_the_model(entry):
    calls = normalized(entry).get("tool_calls", [])
    assert all(isinstance(made["function"]["name"], str) and made["id"] for made in calls)


@pytest.mark.parametrize("depth", [900, 100_000])
def test_arguments_nested_too_deeply_are_told(depth):
    nested = QUERY
    for _ in range(depth):
        nested = {"a": nested}
    [made] = normalized(call(nested))["tool_calls"]
    assert made["function"]["arguments"] in (
        f"{NO_OBJECT}it is nested too deeply",
        '{"a": ' * depth + TEXT + "}" * depth,
    )


def test_fields_beside_the_protocol_go_on_as_they_came():
    signature = {"google": {"thought_signature": "U0lH"}}
    [made] = normalized(call(extra_content=signature))["tool_calls"]
    assert made["extra_content"] == signature


def test_a_message_without_calls_stays_as_it_is():
    message = {"role": "assistant", "content": "The tide rose.", "tool_calls": None, "function_call": None}
    assert normalize_tool_calls(message, OFFERED) == {"role": "assistant", "content": "The tide rose."}


@given(values, values)
def test_nothing_that_a_provider_sends_raises(calls, function_call):
    message = normalize_tool_calls({"content": "", "tool_calls": calls, "function_call": function_call}, OFFERED)
    made = message.get("tool_calls", [])
    assert len({one["id"] for one in made}) == len(made)
    read = parsed(message)
    assert len(read.tool_calls) + len(read.invalid_tool_calls) == len(made)
    json.dumps(message).encode()
