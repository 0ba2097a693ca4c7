"""Which texts are a tool call that a model wrote down instead of making it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.graph.agents.written_calls import is_written_call

TOOLS = ["web_search", "search_documents"]
OBJECT = '{"name": "search_documents", "arguments": {"query": "the mill"}}'

CALLS = {
    "an object": OBJECT,
    "other words for its arguments": '{"function": "web_search", "parameters": {"query": "x"}}',
    "OpenAI's wire format": '{"type": "function", "function": {"name": "web_search", "arguments": "{}"}}',
    "OpenAI's message": '{"tool_calls": [{"function": {"name": "web_search", "arguments": "{}"}}]}',
    "a Python dict": "{'name': 'web_search', 'arguments': {'query': 'x'}}",
    "a list": f"[{OBJECT}]",
    "one after another": f"{OBJECT}\n{OBJECT}",
    "a fence": f"```json\n{OBJECT}\n```",
    "talk, then a fence": f"Let me search the documents.\n\n```\n{OBJECT}\n```",
    "Hermes and Qwen": f"<tool_call>\n{OBJECT}\n</tool_call>",
    "an open tag": f"<tool_call>{OBJECT}",
    "two tags": f"<tool_call>{OBJECT}</tool_call>\n<tool_call>{OBJECT}</tool_call>",
    "Qwen Coder": "<tool_call>\n<function=web_search>\n<parameter=query>\nx\n</parameter>\n</function>\n</tool_call>",
    "Llama's tag": '<function=web_search>{"query": "x"}</function>',
    "Llama's mark": '<|python_tag|>{"name": "web_search", "parameters": {"query": "x"}}',
    "Llama's Python": '[web_search(query="the mill (old)")]',
    "Mistral": f"[TOOL_CALLS] [{OBJECT}]",
    "Mistral, newer": '[TOOL_CALLS]web_search{"query": "x"}',
    "Phi": f"functools[{OBJECT}]",
    "Granite": f"<|tool_call|>[{OBJECT}]",
    "Kimi": '<|tool_call_begin|>functions.web_search:0<|tool_call_argument_begin|>{"query": "x"}<|tool_call_end|>',
    "DeepSeek": '<\uff5ctool▁call▁begin\uff5c>function<\uff5ctool▁sep\uff5c>web_search\n```json\n{"query": "x"}\n```',
    "ReAct": 'Action: web_search\nAction Input: {"query": "x"}',
}

ANSWERS = {
    "prose": "It was built in 1861 [1a2b3c4d].",
    "nothing": "",
    "an opening bracket": "[",
    "an answer in JSON": '{"year": 1861}',
    "JSON with a name": '{"name": "Alder", "arguments": ["it is old"]}',
    "a tool's name as a value": '{"name": "Ada", "input": "web_search"}',
    "a name that is no text": '{"name": ["web_search"], "arguments": {}}',
    "no arguments": '{"name": "web_search", "year": 1861}',
    "a list of numbers": "The years are [1861, 1904]",
    "talk of a tool": "I used web_search (twice) and found nothing.",
    "an explanation": f"Such a call is written {OBJECT}, and the server answers it.",
    "a long answer that ends in one": f"{'The format is as follows. ' * 20}\n```json\n{OBJECT}\n```",
    "a longer name": 'my_web_search_2("x")',
}


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_calls(text):
    assert is_written_call(text, TOOLS)


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_a_tool_that_was_not_offered_is_not_called(text):
    assert not is_written_call(text, ["bash"])
    assert not is_written_call(text, [])


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_answers(text):
    assert not is_written_call(text, TOOLS)


@given(st.text() | st.text(alphabet="[]{}\"':,.`<>|/() \nweb_searchname", max_size=200))
def test_any_text_is_told(text):
    """Nothing that a model writes breaks the look at it; talk behind a call makes it an answer."""
    is_written_call(text, TOOLS)
    assert not is_written_call(f"{OBJECT}\nThe mill was built in 1861, says {text}.", TOOLS)
