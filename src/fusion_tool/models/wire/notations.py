"""The notations in which models write tool calls as text, where a server has no parser for them or the wrong one.

Sources: the models' chat templates and the parsers of vLLM (`tool_parsers`), SGLang (`function_call`) and llama.cpp
(`common/chat-parser`), as published in 2026; OpenAI's harmony format ("How to handle the raw completion format").

- marks around a payload: Hermes and Qwen `<tool_call>`, GLM, Nemotron `<TOOLCALL>`, Hunyuan `<tool_calls>`, MiniMax
  `<minimax:tool_call>`, Granite `<|tool_call|>`, LFM2 `<|tool_call_start|>`, Gemma `<|tool_call>` and
  `<start_function_call>`, InternLM `<|action_start|>`, Command `<|START_ACTION|>`, Apertus `<|tools_prefix|>`, Llama
  `<|python_tag|>` and `<|python_start|>`, Phi `functools[...]`, LM Studio `[TOOL_REQUEST]`;
- calls in tags: see `payloads.INVOKE`;
- calls in tokens: Kimi K2, DeepSeek V3 and V3.1, StepFun; Mistral `[TOOL_CALLS]`; harmony's `to=functions.f`;
  Functionary's `<|recipient|>`; Qwen 2's `✿FUNCTION✿`;
- pairs of GLM's `<arg_key>` behind a name, its opening tag lost;
- calls in prose: ReAct's `Action:` and `Action Input:`.
"""

# ruff: noqa: RUF001

import re
from collections.abc import Callable, Collection
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
    (r"<\|python_start\|>", r"<\|python_end\|>"),
    (r"\[TOOL_CALL\]", r"\[/TOOL_CALL\]"),
    (r"\[TOOL_REQUEST\]", r"\[END_TOOL_REQUEST\]"),
    (r"\bfunctools\s*(?=\[)", r"(?<=\])\s*\Z"),
)
_BAR = "[|｜]"
_SPACE = "[▁_ ]"  # some tokenizers decode the one as the other
_SEPARATOR = rf"<{_BAR}tool{_SPACE}(?:sep|call{_SPACE}argument{_SPACE}begin){_BAR}>"
_SECTION = rf"<{_BAR}tool{_SPACE}calls?{_SPACE}(?:section{_SPACE})?"
_KIMI_OR_DEEPSEEK = re.compile(
    rf"(?:(?:{_SECTION}begin{_BAR}>\s*)+|^(?=[\w.:-]+{_SEPARATOR}))(.*?)"
    rf"(?:<{_BAR}tool{_SPACE}call{_SPACE}end{_BAR}>|(?={_SECTION}(?:begin|end))|\Z)",
    re.DOTALL | re.MULTILINE,
)
_PART = re.compile(_SEPARATOR)
_MISTRAL = re.compile(
    r"(?:\[TOOL_CALLS\]|^(?=[\w.:-]+\[(?:ARGS|CALL_ID)\]))(.*?)(?=\[TOOL_CALLS\]|\Z)", re.DOTALL | re.MULTILINE
)
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
_FUNCTIONARY = re.compile(
    r"(?:<\|from\|>\s*assistant\s*)?<\|recipient\|>\s*([\w.:-]+)\s*<\|content\|>"
    r"(.*?)(?:<\|stop\|>|(?=<\|from\|>|<\|recipient\|>)|\Z)",
    re.DOTALL,
)
_QWEN_2 = re.compile(r"✿FUNCTION✿:\s*([\w.:-]+)\s*✿ARGS✿:\s*(.*?)(?:✿(?:RETURN|RESULT)✿:?|(?=✿)|\Z)", re.DOTALL)
_GLM_BARE = re.compile(
    r"^[ \t]*([\w.:-]+)\s*((?:<(\w*)arg_key>[^<]{1,80}</\3arg_key>\s*<\3arg_value>.*?(?:</\3arg_value>|\Z)\s*)+)",
    re.DOTALL | re.MULTILINE,
)

NAMESPACE_MARK = "]<]minimax[>["
"""Stands before each tag that MiniMax M3 writes, and says nothing."""
LEFTOVERS = re.compile(
    rf"(?:</?(?:{_TAG})\s*>|<{_BAR}[\w▁ ]{{2,40}}{_BAR}>|</s>|\[\|endofturn\|\]|</response>)", re.IGNORECASE
)
"""Marks that stand around calls and say nothing once these are taken out."""


def _read_marked(match: re.Match[str]) -> Calls | None:
    return read_payload(match[match.lastindex or 0])


def _read_invoke(match: re.Match[str]) -> Calls | None:
    return [(match[2], read_parameters(match[3]))]


def _read_pairs(match: re.Match[str]) -> Calls | None:
    return [(match[1], read_parameters(match[2]))]


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
    return calls or read_payload(text)


def _read_named(match: re.Match[str]) -> Calls | None:
    arguments = read_arguments(match[2])
    return [(match[1].strip(), match[2].strip() if arguments is None else arguments)]


MARKED_NOTATIONS: tuple[tuple[re.Pattern[str], Reader], ...] = (
    (_HARMONY, _read_named),
    (_KIMI_OR_DEEPSEEK, _read_tokens),
    (_MISTRAL, _read_mistral),
    (_FUNCTIONARY, _read_named),
    (_QWEN_2, _read_named),
    (INVOKE, _read_invoke),
    *((re.compile(f"{begin}(.*?)(?:{end}|\\Z)", re.DOTALL), _read_marked) for begin, end in _TOKEN_PAIRS),
    (_MARKED, _read_marked),
    (_GLM_BARE, _read_pairs),
    (_REACT, _read_named),
)
"""Notations that can stand anywhere in a text, the ones with the surest marks first."""


def own_tags(text: str, offered: Collection[str]) -> tuple[tuple[re.Pattern[str], Reader], ...]:
    """Return the notation of offered tools' names as tags around their parameters, for those that `text` has.

    Cline's prompt taught it. Any XML looks so, but for the name.
    """
    names = "|".join(re.escape(name) for name in offered if f"<{name}>" in text)
    return ((re.compile(rf"<({names})>(\s*<.*?)(?:</\1>|\Z)", re.DOTALL), _read_pairs),) if names else ()
