"""Tool calls that a model wrote into its answer instead of making them, in the notations that models know.

Small models, and servers that do not know a model's chat template, leave the call in the text: an object with a name
and arguments, bare, fenced or between a template's marks; the name, then its arguments; or a line of Python.
"""

import json
from collections.abc import Collection, Iterator
from typing import Any

import json_repair
import regex

_LEAD_IN = 300
"""Characters of talk that may stand before the call; behind it nothing may, else the talk is the answer."""
_NAMES, _CALLEES = ("name", "tool", "tool_name", "action", "function"), ("function", "tool_calls", "tool_call")
_ARGUMENTS = frozenset({"arguments", "parameters", "args", "input", "tool_input", "action_input"})
_MARK = regex.compile(
    r"""```[\w-]*                                        # a fence
    | <[|\uff5c][^<>]{1,40}[|\uff5c]>                     # <|tool_call|>, <|python_tag|>; DeepSeek's are full-width
    | </?(?:tool_calls?|function_calls?|tools)>          # <tool_call>
    | \[/?TOOL_CALLS?\] | \bfunctools(?=\[)
    | <function=(?P<name>[\w.-]+)> | </(?:function|parameter)>""",
    regex.VERBOSE | regex.IGNORECASE,
)


def is_written_call(text: str, names: Collection[str]) -> bool:
    """Whether `text` is a call of one of the tools called `names`, be it after a short lead-in."""
    if not names:
        return False
    body = _MARK.sub(lambda mark: f" {mark['name'] or ''} ", text).strip()
    return _is_object(body, names) or _is_named(body, names)


def _is_object(body: str, names: Collection[str]) -> bool:
    """`{"name": ..., "arguments": ...}`, one or several, or a list of them."""
    start = regex.search(r"[\[{]\s*[\[{\"']", body)
    if start is None or start.start() > _LEAD_IN or body[-1] not in "]}":
        return False
    values = list(_values(body[start.start() :]))
    return bool(values) and all(any(_calls(value, names)) for value in values)


def _values(text: str) -> Iterator[Any]:
    """The JSON values that `text` is made of; of what is not quite JSON, what can be read."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError:
            value, end = json_repair.loads(text[at:]), len(text)
        yield value
        at = end + len(text[end:]) - len(text[end:].lstrip(" \t\r\n,;"))


def _calls(value: Any, names: Collection[str]) -> Iterator[bool]:
    if isinstance(value, list):
        yield from (called for item in value for called in _calls(item, names))
    if isinstance(value, dict):
        yield bool(_ARGUMENTS & value.keys()) and any(value.get(key) in names for key in _NAMES if _is_text(value, key))
        yield from (called for key in _CALLEES for called in _calls(value.get(key), names))


def _is_text(value: dict[str, Any], key: str) -> bool:
    return isinstance(value.get(key), str)


def _is_named(body: str, names: Collection[str]) -> bool:
    """The name before its arguments: `web_search(query="...")`, `functions.web_search:0 {...}`, `<function=...>`."""
    name = "|".join(map(regex.escape, names))
    named = regex.search(rf"(?<![\w.])(?:functions?[.\s])?(?:{name})(?::\d+)?(?!\w)", body)
    if named is None or named.start() > _LEAD_IN:
        return False
    rest = body[named.end() :].strip()
    label = r"(?:action[ _]input|arguments|parameters|args|input)\s*[:=]?\s*"
    forms = (r"\(.*\)\s*\]?", rf"(?:{label})?\{{.*\}}", r"<parameter=.*")
    return any(regex.fullmatch(form, rest, regex.DOTALL | regex.IGNORECASE) for form in forms)
