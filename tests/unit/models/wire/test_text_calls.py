"""Tool calls as text: in every notation they are calls, and a text about them stays whole."""

# ruff: noqa: RUF001

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.models.wire.text_calls import looks_like_tool_call, parse_text_calls

OFFERED = ("web_search", "fetch_page")
CALL = '{"name": "web_search", "arguments": {"query": "tide brest"}}'
ARGUMENTS = '{"query": "tide brest"}'
CLAUDE = "ant" + "ml:"


def around(tag, content):
    return f"<{tag}>\n{content}\n</{tag}>"


def tags(prefix="", tag="invoke", parameter="parameter", *, named=' name="{}"', more=""):
    """One call in tags."""
    opening, closing = f"<{prefix}{parameter}{named.format('query')}{more}>", f"</{prefix}{parameter}>"
    return f"<{prefix}{tag}{named.format('web_search')}>\n{opening}tide brest{closing}\n</{prefix}{tag}>"


NOTATIONS = {
    "hermes": around("tool_call", CALL),
    "hermes, never closed": f"<tool_call>\n{CALL}",
    "hermes, several": f"<tool_call>\n{CALL}\n<tool_call>\n{CALL}\n</tool_call>",
    "hermes, single quotes": around("tool_call", CALL.replace('"', "'")),
    "hermes, other tags": around("function_call", CALL),
    "qwen-coder 2.5": around("tools", CALL),
    "qwen-coder 2.5, braces doubled": f"{{{CALL}}}",
    "qwen-coder 2.5, doubled on lines of their own": f"{{\n{CALL}\n}}",
    "qwen-coder 2.5, doubled and fenced": f"```json\n{{{CALL}}}\n```",
    "qwen-coder 2.5, doubled in tags": around("tool_call", f"{{{CALL}}}"),
    "qwen-coder 2.5, several doubled": f"{{{CALL}}}\n{{{CALL}}}",
    "qwen-coder 2.5, every brace doubled": CALL.replace("{", "{{").replace("}", "}}"),
    "qwen-coder 2.5, doubled at its beginning": f"{{{CALL}",
    "qwen3-coder": around("tool_call", tags(tag="function", named="={}").replace("tide brest", "\ntide brest\n")),
    "qwen3-coder, no wrapper": tags(tag="function", named="={}"),
    "seed": around("seed:tool_call", tags(tag="function", named="={}")),
    "llama 3.1, function": f"<function=web_search>{ARGUMENTS}</function>",
    "llama 3.1, bracket forgotten": f"<function=web_search({ARGUMENTS})</function>",
    "llama 3.1, bracket left out": f"<function=web_search{ARGUMENTS}</function>",
    "llama 3, python tag": f"<|python_tag|>{CALL}<|eom_id|>",
    "llama 3, built-in": '<|python_tag|>web_search.call(query="tide brest")',
    "llama 3, json": '{"type": "function", "name": "web_search", "parameters": {"query": "tide brest"}}',
    "llama 3, several": f"{CALL}; {CALL}",
    "llama 4, pythonic": '[web_search(query="tide brest"), web_search(query="tide brest")]',
    "llama 4, marked": '<|python_start|>[web_search(query="tide brest")]<|python_end|><|eot|>',
    "one python call": "web_search(query='tide brest')",
    "mistral": f"[TOOL_CALLS] [{CALL}]</s>",
    "mistral 11": f"[TOOL_CALLS]web_search{ARGUMENTS}",
    "mistral 13": f"[TOOL_CALLS]web_search[ARGS]{ARGUMENTS}[TOOL_CALLS]web_search[CALL_ID]abc123[ARGS]{ARGUMENTS}",
    "mistral, an object": f"[TOOL_CALLS]{CALL}",
    "mistral, token lost": f"web_search[ARGS]{ARGUMENTS}",
    "deepseek v3": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>web_search\n"
    f"```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>",
    "deepseek v3, spaces": "<｜tool calls begin｜><｜tool call begin｜>function<｜tool sep｜>web_search\n"
    f"```json\n{ARGUMENTS}\n```<｜tool call end｜><｜tool calls end｜>",
    "deepseek v3, beginning lost": f"function<｜tool▁sep｜>web_search\n```json\n{ARGUMENTS}\n```<｜tool▁call▁end｜>",
    "deepseek v3.1, one mark": f"<｜tool▁calls▁begin｜>web_search<｜tool▁sep｜>{ARGUMENTS}<｜tool▁calls▁end｜>",
    "deepseek v3.1": "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>web_search<｜tool▁sep｜>"
    f"{ARGUMENTS}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
    "deepseek v3.2": around("｜DSML｜function_calls", tags("｜DSML｜", more=' string="true"')),
    "deepseek v4": around("｜DSML｜tool_calls", tags("｜DSML｜", more=' string="true"')),
    "deepseek, ascii": around("|DSML|tool_calls", tags("|DSML|", more=' string="true"')),
    "deepseek, json": f'<｜｜DSML｜｜invoke name="web_search">{ARGUMENTS}</｜｜DSML｜｜invoke>',
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.web_search:0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "kimi, id of its own": "<|tool_calls_section_begin|><|tool_call_begin|>web_search_0<|tool_call_argument_begin|>"
    f"{ARGUMENTS}<|tool_call_end|><|tool_calls_section_end|>",
    "stepfun": "<｜tool_calls_begin｜><｜tool_call_begin｜>function<｜tool_sep｜>"
    f"{tags('steptml:')}<｜tool_call_end｜><｜tool_calls_end｜>",
    "glm": around("tool_call", "web_search\n<arg_key>query</arg_key>\n<arg_value>tide brest</arg_value>"),
    "glm 4.7": "<tool_call>web_search<arg_key>query</arg_key><arg_value>tide brest</arg_value></tool_call>",
    "glm, opening lost": "web_search\n<arg_key>query</arg_key>\n<arg_value>tide brest</arg_value></tool_call><|user|>",
    "glm 4": f"web_search\n{ARGUMENTS}<|observation|>",
    "longcat": around(
        "longcat_tool_call",
        "web_search\n<longcat_arg_key>query</longcat_arg_key>\n<longcat_arg_value>tide brest</longcat_arg_value>",
    ),
    "claude": around("function_calls", tags()),
    "claude 2": around(
        "function_calls",
        around("invoke", "<tool_name>web_search</tool_name>" + around("parameters", "<query>tide brest</query>")),
    ),
    "tags of its own": around("tool_use", f"<name>web_search</name>\n<arguments>{ARGUMENTS}</arguments>"),
    "grok": tags("xai:", "function_call"),
    "claude, prefixed": around(f"{CLAUDE}function_calls", tags(CLAUDE)),
    "minimax": around("minimax:tool_call", tags()),
    "minimax m3": "]<]minimax[>[<tool_call>\n]<]minimax[>["
    + f'<invoke name="web_search"><query>tide brest</query></{"invoke"}>'.replace("<", "]<]minimax[>[<")
    + "\n]<]minimax[>[</tool_call>",
    "minicpm": tags(tag="function", parameter="param"),
    "harmony": f"<|channel|>commentary to=functions.web_search <|constrain|>json<|message|>{ARGUMENTS}<|call|>",
    "harmony, from the start": "<|start|>assistant<|channel|>commentary to=functions.web_search<|constrain|>json"
    f"<|message|>{ARGUMENTS}<|call|>",
    "harmony, recipient first": "<|start|>assistant to=functions.web_search<|channel|>commentary json"
    f"<|message|>{ARGUMENTS}",
    "harmony, tokens lost": f"assistantcommentary to=functions.web_search json{ARGUMENTS}",
    "gemini": '```tool_code\nprint(default_api.web_search(query="tide brest"))\n```',
    "gemma 3": '```python\nweb_search(query="tide brest")\n```',
    "gemma 4": '<|tool_call>call:web_search{query:<|"|>tide brest<|"|>}<tool_call|>',
    "function gemma": "<start_function_call>call:web_search{query:<escape>tide brest<escape>}<end_function_call>",
    "granite": f"<|tool_call|>[{CALL}]",
    "internlm": f"<|action_start|><|plugin|>{CALL}<|action_end|>",
    "lfm2": '<|tool_call_start|>[web_search(query="tide brest")]<|tool_call_end|>',
    "command": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "web_search", '
    f'"parameters": {ARGUMENTS}}}]<|END_ACTION|>',
    "apertus": '<|tools_prefix|>[{"web_search": {"query": "tide brest"}}]<|tools_suffix|>',
    "phi": f"functools[{CALL}]",
    "phi, a space": f"functools [{CALL}]",
    "functionary 2": f"<|from|>assistant\n<|recipient|>web_search\n<|content|>{ARGUMENTS}<|stop|>",
    "functionary 3": f">>>web_search\n{ARGUMENTS}",
    "qwen 2": f"✿FUNCTION✿: web_search\n✿ARGS✿: {ARGUMENTS}\n✿RETURN✿",
    "nemotron": around("TOOLCALL", f"[{CALL}]"),
    "hunyuan": around("tool_calls", f"[{CALL}]"),
    "hunyuan, fenced": around("tool_calls", around("tool_call", f"web_search\n```json\n{ARGUMENTS}\n```")),
    "exaone": f"{around('tool_call', CALL)}[|endofturn|]",
    "lm studio": f"[TOOL_REQUEST]{CALL}[END_TOOL_REQUEST]",
    "react": f"Thought: I need it.\nAction: web_search\nAction Input: {ARGUMENTS}\nObservation: it rose by 3.4 m",
    "react, as python": 'Action: web_search(query="tide brest")',
    "command r": 'Action: ```json\n[{"tool_name": "web_search", "parameters": {"query": "tide brest"}}]```',
    "fenced": f"```json\n{CALL}\n```",
    "fenced, marked": f"```xml\n{around('tool_call', CALL)}\n```",
    "bare": CALL,
    "bare list": f"[{CALL}]",
    "openai's own": json.dumps(
        {"tool_calls": [{"function": {"name": "functions.web_search", "arguments": ARGUMENTS}}]}
    ),
    "anthropic's own": '{"type": "tool_use", "id": "x", "name": "web_search", "input": {"query": "tide brest"}}',
    "multi_tool_use": f'{{"tool_uses": [{{"recipient_name": "functions.web_search", "parameters": {ARGUMENTS}}}]}}',
    "langchain's": f'{{"action": "web_search", "action_input": {ARGUMENTS}}}',
    "arguments encoded twice": json.dumps({"name": "web_search", "arguments": ARGUMENTS}),
}

ABOUT = {
    "inline code": f"A call is `<tool_call>{CALL}</tool_call>` in this notation.",
    "a fence with prose after it": f"A call looks like this:\n```json\n{CALL}\n```\nand the server answers it.",
    "a marked fence": f"```\n{around('tool_call', CALL)}\n```\nThat is the notation.",
    "mid-sentence": f"The model writes <tool_call>{CALL}</tool_call> to call the tool.",
    "quoted": f'It said "{around("tool_call", CALL)}" and no more.',
    "json in a sentence": f"He wrote {CALL} and left.",
    "doubled braces in a sentence": f"He wrote {{{CALL}}} and left.",
    "a template's field": "{{ web_search }}\n{{ query }}",
    "a definition in doubled braces": '{{"name": "web_search", "description": "Search.", "arguments": {}}}',
    "a function's name": "See f(x) and web_search(query) for more (both are pure).",
    "a definition": '{"type": "function", "function": {"name": "web_search", "description": "Search.", "parameters":'
    ' {"type": "object", "properties": {}}}}',
    "a heading over an object": 'The configuration:\n{"query": "tide brest"}',
    "a name over a fence and prose": f"web_search\n```json\n{ARGUMENTS}\n```\nis what it takes.",
    "xml": around("report", "<title>Tides</title>"),
    "tags alone": "Use <invoke> and <function=...> in prompts.",
    "plain": "The tide rose.",
    "empty": "",
}


def made(calls):
    return [(call["function"]["name"], call["function"]["arguments"]) for call in calls]


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_call_in_any_notation_is_a_call(notation):
    rest, calls = parse_text_calls(NOTATIONS[notation], OFFERED)
    assert rest == ""
    assert set(map(json.dumps, made(calls))) == {json.dumps(("web_search", {"query": "tide brest"}))}


@pytest.mark.parametrize("notation", NOTATIONS)
def test_words_before_it_stay(notation):
    lead = "I will search first."
    rest, calls = parse_text_calls(f"{lead}\n\n{NOTATIONS[notation]}", OFFERED)
    assert (rest, bool(calls)) == (lead, True)


@pytest.mark.parametrize("notation", NOTATIONS)
def test_a_tool_that_was_not_offered_is_not_called_and_no_answer_either(notation):
    text = NOTATIONS[notation]
    assert parse_text_calls(text, ("bash",)) == (text, [])
    if notation != "one python call":  # it may be what was asked for
        assert looks_like_tool_call(text)
        assert looks_like_tool_call(f"I will search first.\n\n{text}")


@pytest.mark.parametrize("text", ABOUT.values(), ids=ABOUT)
def test_a_text_about_calls_stays_whole(text):
    assert parse_text_calls(text, OFFERED) == (text, [])
    assert not looks_like_tool_call(text)


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>\n{"name": "web_search", "argum',
        "<tool_call>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.web",
        "[TOOL_CALLS]web_search",
        "<function=web_search>\n<parameter=query>",
    ],
)
def test_a_call_that_was_cut_off_is_no_answer(text):
    assert looks_like_tool_call(text)


def test_a_tag_is_a_call_only_where_a_tool_has_its_name():
    text = around("web_search", "<query>tide brest</query>")
    assert made(parse_text_calls(text, OFFERED)[1]) == [("web_search", {"query": "tide brest"})]
    assert parse_text_calls(text, ("bash",)) == (text, [])
    assert not looks_like_tool_call(text)  # any XML looks so


def test_an_answer_with_a_call_behind_it_is_an_answer():
    answer = "The tide rose by 3.4 metres at Brest that day. " * 10
    rest, calls = parse_text_calls(f"{answer}\n\n{NOTATIONS['hermes']}", OFFERED)
    assert (rest, len(calls)) == (answer.strip(), 1)
    assert not looks_like_tool_call(f"{answer}\n\n{NOTATIONS['hermes']}")


def test_arguments_that_cannot_be_read_stay_a_call():
    _, calls = parse_text_calls(around("tool_call", '{"name": "web_search", "arguments": {"query": "tide'), OFFERED)
    assert made(calls) == [("web_search", '{"name": "web_search", "arguments": {"query": "tide')]
    _, calls = parse_text_calls('[web_search("tide brest")]', OFFERED)
    assert made(calls) == [("web_search", 'web_search("tide brest")')]


def test_values_are_texts_unless_the_notation_or_a_bracket_says_otherwise():
    body = (
        '<｜DSML｜invoke name="web_search"><｜DSML｜parameter name="a" string="false">3</｜DSML｜parameter>'
        '<｜DSML｜parameter name="b" string="true">3</｜DSML｜parameter></｜DSML｜invoke>'
    )
    assert made(parse_text_calls(body, OFFERED)[1]) == [("web_search", {"a": 3, "b": "3"})]
    body = "<function=web_search><parameter=a>2026</parameter><parameter=b>[1, 2]</parameter></function>"
    assert made(parse_text_calls(body, OFFERED)[1]) == [("web_search", {"a": "2026", "b": [1, 2]})]


def test_several_calls_stand_in_their_order():
    fetch = '{"name": "fetch_page", "arguments": {"url": "u"}}'
    text = f"{around('tool_call', fetch)}\nThen:\n{tags()}\n{around('tool_call', CALL)}"
    rest, calls = parse_text_calls(text, OFFERED)
    assert [name for name, _ in made(calls)] == ["fetch_page", "web_search", "web_search"]
    assert rest == "Then:"


parts = st.sampled_from(
    [*NOTATIONS.values(), "<tool_call>", "</tool_call>", "{", "}", "[", "(", "```", "`", "\n", "\0", " x "]
)


@given(st.lists(parts | st.text(max_size=5), max_size=6))
def test_nothing_that_a_model_writes_raises(pieces):
    text = "".join(pieces)
    rest, calls = parse_text_calls(text, OFFERED)
    assert calls or rest == text
    assert not calls or any(name in OFFERED for name, _ in made(calls))
    looks_like_tool_call(text)


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    "mark", ["<tool_call>", "[TOOL_CALLS]", "<function=a>", "{", "to=functions.a{", "f(", "```\n", "`"]
)
def test_a_text_of_nothing_but_marks_costs_no_time(mark):
    text = mark * (100_000 // len(mark))
    parse_text_calls(text, OFFERED)
    looks_like_tool_call(text)
