"""The notations in which models write tool calls as text, where a server has no parser for them or the wrong one.

Sources: the models' chat templates and the parsers of vLLM (`tool_parsers`), SGLang (`function_call`) and llama.cpp
(`common/chat-parser`), as published in 2026; OpenAI's harmony format ("How to handle the raw completion format").

- marks around a payload: Hermes and Qwen `<tool_call>`, GLM, Nemotron `<TOOLCALL>`, Hunyuan `<tool_calls>`, MiniMax
  `<minimax:tool_call>`, Granite `<|tool_call|>`, LFM2 `<|tool_call_start|>`, Gemma `<|tool_call>` and
  `<start_function_call>`, InternLM `<|action_start|>`, Command `<|START_ACTION|>`, Apertus `<|tools_prefix|>`, Llama
  `<|python_tag|>`, Phi `functools[...]`, LM Studio `[TOOL_REQUEST]`;
- calls in tags: see `payloads.INVOKE`;
- calls in tokens: Kimi K2, DeepSeek V3 and V3.1, StepFun; Mistral `[TOOL_CALLS]`; harmony's `to=functions.f`;
- calls in prose: ReAct's `Action:` and `Action Input:`.
"""

# ruff: noqa: RUF001

import re
from collections.abc import Callable
from typing import TypeAlias

from fusion_tool.models.json_reader import parse_json_prefix
from fusion_tool.models.wire.arguments import read_arguments
from fusion_tool.models.wire.payloads import INVOKE, Calls, read_json_calls, read_parameters, read_payload

Reader: TypeAlias = Callable[[re.Match[str]], Calls | None]

_TAG = (
    r"(?:[|｜]+\s*DSML\s*[|｜]+\s*_?\|?|[a-z]+:)?"
    r"(?:tool_?calls?|function_?calls?|longcat_tool_call|tools|tool_use|calls)"
)
_MARKED = re.compile(rf"<({_TAG})>(.*?)(?:</\1\s*>|(?=<\1>)|\Z)", re.DOTALL | re.IGNORECASE)
_TOKEN_PAIRS = (
    (r"<\|tool_call_start\|>", r"<\|tool_call_end\|>"),
    (r"<\|tool_call\|>", r"<\|/?(?:tool_call_end|tool_call|end_of_text)\|>"),
    (r"<\|tool_call>", r"<tool_call\|>"),
    (r"<start_function_call>", r"<end_function_call>"),
    (r"<\|action_start\|>\s*<\|plugin\|>", r"<\|action_end\|>"),
    (r"<\|START_ACTION\|>", r"<\|END_ACTION\|>"),
    (r"<\|tools_prefix\|>", r"<\|tools_suffix\|>"),
    (r"<\|python_tag\|>", r"<\|(?:eom|eot)_id\|>"),
    (r"\[TOOL_CALL\]", r"\[/TOOL_CALL\]"),
    (r"\[TOOL_REQUEST\]", r"\[END_TOOL_REQUEST\]"),
    (r"\bfunctools(?=\[)", r"(?<=\])\s*\Z"),
)
_BAR = "[|｜]"
_KIMI_OR_DEEPSEEK = re.compile(
    rf"<{_BAR}tool[▁_]call[▁_]begin{_BAR}>(.*?)(?:<{_BAR}tool[▁_]call[▁_]end{_BAR}>"
    rf"|(?=<{_BAR}tool[▁_]calls?[▁_])(?!<{_BAR}tool[▁_]call[▁_]argument)|\Z)",
    re.DOTALL,
)
_PART = re.compile(rf"<{_BAR}tool[▁_](?:sep|call[▁_]argument[▁_]begin){_BAR}>")
_MISTRAL = re.compile(r"\[TOOL_CALLS\](.*?)(?=\[TOOL_CALLS\]|\Z)", re.DOTALL)
_MISTRAL_CALL = re.compile(r"\s*([\w.:-]+)\s*(?:\[CALL_ID\][\w-]*)?\s*(?:\[ARGS\])?\s*(?=\{)")
_HARMONY = re.compile(
    r"(?:<\|start\|>\s*)?(?:assistant\s*)?(?:<\|channel\|>\s*)?(?:(?:commentary|analysis|final)\s+)?"
    r"\bto=(functions\.[\w.-]+|[\w.-]+(?=[^\n{]{0,60}<\|))\s*"
    r"(?:<\|channel\|>\s*\w+\s*)?(?:<\|constrain\|>\s*)?(?:json|code)?\s*(?:<\|message\|>)?\s*"
    r"(\{.*?)(?:<\|(?:call|end|return)\|>|(?=<\|start\|>|<\|channel\|>)|\Z)",
    re.DOTALL,
)
_REACT = re.compile(
    r"^(?:Thought:[^\n]*\n+)?Action:[ \t]*([^\n]+)\n+Action Input:[ \t]*"
    r"(.*?)(?=^Observation:|^Action:|\Z)(?:^Observation:.*\Z)?",
    re.DOTALL | re.MULTILINE,
)

NAMESPACE_MARK = "]<]minimax[>["
"""Stands before each tag that MiniMax M3 writes, and says nothing."""
LEFTOVERS = re.compile(
    rf"(?:</?(?:{_TAG})\s*>|<{_BAR}tool[▁_]calls?[▁_](?:section[▁_])?(?:begin|end){_BAR}>"
    r"|<\|(?:start|end|call|return|im_end|eom_id|eot_id)\|>|<｜end▁of▁sentence｜>|</s>)",
    re.IGNORECASE,
)
"""Marks that stand around calls and say nothing once these are taken out."""


def _read_marked(match: re.Match[str]) -> Calls | None:
    return read_payload(match[match.lastindex or 0])


def _read_invoke(match: re.Match[str]) -> Calls | None:
    return [(match[2], read_parameters(match[3]))]


def _read_tokens(match: re.Match[str]) -> Calls | None:
    """Read `name<sep>{...}` (Kimi, DeepSeek V3.1), `function<sep>name` and a fence (V3), or tags behind `function`."""
    parts = _PART.split(match[1], maxsplit=1)
    if len(parts) == 1:
        return read_payload(match[1])
    name, body = parts[0].strip(), parts[1].strip()
    if name == "function":
        name, _, body = body.partition("\n")
        if INVOKE.match(parts[1].lstrip()):
            return read_payload(parts[1])
    arguments = read_arguments(body)
    return [(name.strip(), body.strip() if arguments is None else arguments)]


def _read_mistral(match: re.Match[str]) -> Calls | None:
    """Read `[{...}]` up to version 7 of the tokenizer, `name{...}` from 11, `name[ARGS]{...}` from 13."""
    text = match[1].removesuffix("</s>").strip()
    if text.startswith("["):
        try:
            _, end = parse_json_prefix(text)  # prose may follow
        except ValueError:
            end = len(text)
        return read_json_calls(text[:end]) or read_payload(text)
    calls: Calls = []
    place = 0
    while head := _MISTRAL_CALL.match(text, place):
        try:
            arguments, place = parse_json_prefix(text, head.end())
        except ValueError:
            arguments, place = text[head.end() :], len(text)
        calls.append((head[1], arguments))
    return calls or None


def _read_named(match: re.Match[str]) -> Calls | None:
    arguments = read_arguments(match[2])
    return [(match[1].strip(), match[2].strip() if arguments is None else arguments)]


MARKED_NOTATIONS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (_HARMONY, _read_named),
    (_KIMI_OR_DEEPSEEK, _read_tokens),
    (_MISTRAL, _read_mistral),
    (INVOKE, _read_invoke),
    *((re.compile(f"{begin}(.*?)(?:{end}|\\Z)", re.DOTALL), _read_marked) for begin, end in _TOKEN_PAIRS),
    (_MARKED, _read_marked),
    (_REACT, _read_named),
)
"""Notations that can stand anywhere in a text, the ones with the surest marks first."""
