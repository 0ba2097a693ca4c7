"""What stands inside a tool call that was written as text: JSON, XML-like tags, Python, and two forms of their own.

A reader returns pairs of name and arguments, in order; the arguments are an object, or the text that could not be
read as one. `None` says that it is no call at all.
"""

# ruff: noqa: RUF001

import ast
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from fusion_tool.models.json_reader import parse_json, parse_json_prefix, parse_literal
from fusion_tool.models.wire.arguments import read_arguments

Calls: TypeAlias = list[tuple[str, Any]]

_ARGUMENTS = ("arguments", "args", "parameters", "input", "tool_input", "action_input")
_NAMES = ("name", "tool_name", "tool", "function", "recipient_name", "action")
_LISTS = ("tool_calls", "tool_uses", "function_call", "tool_call")
_DOUBLED = re.compile(r"\{\s*\{")
_CLOSING_BRACE = re.compile(r"\s*\}")
_NAME_KEY = re.compile(r'"(?:name|tool_name|recipient_name)"\s*:\s*"([^"\n]+)"')

_NAMESPACE = r"(?:[|｜]+\s*DSML\s*[|｜]+\s*_?|[a-z]+:)?"
INVOKE = re.compile(
    rf"<{_NAMESPACE}(invoke|(?:function|tool)(?:_call)?)\s*(?:=|\s+name\s*=)\s*[\"']?([^\s\"'<>=(){{}}\[\],]+)[\"']?\s*"
    rf"(?:>|(?=[({{\[,]))(.*?)(?:</{_NAMESPACE}\1\s*>|(?=<{_NAMESPACE}\1(?:=|\s))|\Z)",
    re.DOTALL,
)
"""One call in tags: Qwen3-Coder's and Seed-OSS's `<function=f>`, Claude's `<invoke name="f">`, MiniMax's, StepFun's,
and DeepSeek's DSML, in which each tag begins with `｜DSML｜`. Llama forgets the bracket: `<function=f({...})`."""
_PARAMETER = re.compile(
    rf"<{_NAMESPACE}(?:parameter|param)\s*(?:=|\s+name\s*=)\s*[\"']?([^\s\"'<>=]+)[\"']?"
    rf"(?:\s+string=[\"']?(?P<string>true|false)[\"']?)?[^<>]*>"
    rf"(?P<value>.*?)(?:</{_NAMESPACE}(?:parameter|param)\s*>|(?=<{_NAMESPACE}param(?:eter)?[=\s])|\Z)",
    re.DOTALL,
)
_CHILD = re.compile(r"<([A-Za-z_][\w.-]*)>(.*?)</\1>", re.DOTALL)
_GLM_PAIR = re.compile(r"<\w*arg_key>(.*?)</\w*arg_key>\s*<\w*arg_value>(.*?)(?:</\w*arg_value>|\Z)", re.DOTALL)
_GLM_NAME = re.compile(r"\A\s*([\w.:-]+)\s*(?=<\w*arg_key>|\Z)")
_HEADED = re.compile(
    r"\A\s*(?:>>>\s*)?([A-Za-z_][\w.:-]*)[ \t]*\n\s*(`{3}[\w-]*\s*)?(\{.*\})\s*(?(2)`{3})\s*\Z", re.DOTALL
)
_GEMMA_CALL = re.compile(r"\A\s*call:([\w.:-]+)\s*(\{.*\})\s*\Z", re.DOTALL)
_GEMMA_STRING = re.compile(r'<\|"\|>|<escape>')
_PYTHON_NAME = re.compile(r"\A(?:default_api|functions|tools)\.|\.(?:call|invoke|run)\Z")
_LONGEST_PYTHON = 20_000
_DEEPEST = 8


def read_payload(content: str) -> Calls | None:
    """Read what stands between a notation's marks, whatever form it has."""
    if calls := read_json_calls(content, by_key=True):
        return calls
    for read in (read_tag_calls, _read_glm_call, _read_gemma_call, read_python_calls, read_headed_call, _read_children):
        if calls := read(content):
            return calls
    if calls := calls_in(read_arguments(content), by_key=True):  # single quotes, trailing commas, a fence
        return calls
    # The marks say that it is a call: one that cannot be read is still told to the model, if it has a name.
    if name := _NAME_KEY.search(content):
        return [(name[1], content.strip())]
    return None


def read_json_calls(content: str, *, by_key: bool = False) -> Calls | None:
    """Read one call, a list of calls, or several behind each other (Llama separates them by semicolons).

    Args:
        content: The text.
        by_key: Also take an object whose only key is the name.
    """
    calls: Calls = []
    place, text = 0, content.strip()
    while place < len(text):
        try:
            value, place = _parse_braced(text, place)
        except ValueError:
            try:
                value, place = parse_literal(text[place:]), len(text)
            except ValueError:
                return None
        if not (found := calls_in(value, by_key=by_key)):
            return None
        calls += found
        place += len(text[place:]) - len(text[place:].lstrip(" \t\r\n;,"))
    return calls or None


def _parse_braced(text: str, start: int) -> tuple[Any, int]:
    """Parse the JSON value at `start`, whose outer braces, or all of them, may be doubled; returns it and its end.

    Qwen 2.5's template shows a call as `{{"name": ...}}`, as Python's `format` would have it, and models copy that.
    """
    if not (doubled := _DOUBLED.match(text, start)):
        return parse_json_prefix(text, start)
    inside = doubled.end() - 1
    try:
        value, end = parse_json_prefix(text, inside)
    except ValueError:
        return parse_json(text[start:].replace("{{", "{").replace("}}", "}")), len(text)
    closing = _CLOSING_BRACE.match(text, end)
    return value, closing.end() if closing else end


def calls_in(value: Any, *, by_key: bool = False, depth: int = 0) -> Calls | None:
    """Return the calls that a JSON value is; a tool's definition, which looks alike, is none."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        found = [calls_in(entry, by_key=by_key, depth=depth + 1) for entry in value]
        return [call for calls in found for call in calls or ()] if found and all(found) else None
    # A description belongs to a tool's definition, which answers about tools quote.
    if not isinstance(value, dict) or "description" in value:
        return None
    inner = next((value[key] for key in (*_LISTS, "function") if isinstance(value.get(key), list | dict)), None)
    if inner is not None:
        return calls_in(inner, depth=depth + 1)
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    if name is None:
        return _named_by_key(value) if by_key else None
    raw = next((value[key] for key in _ARGUMENTS if key in value), ...)
    arguments = read_arguments(raw)
    is_schema = arguments is not None and arguments.get("type") == "object" and "properties" in arguments
    return None if raw is ... or is_schema else [(name, raw if arguments is None else arguments)]


def read_tag_calls(content: str) -> Calls | None:
    """Read calls in tags, each with its parameters in tags or as a JSON object."""
    return [(match[2], read_parameters(match[3])) for match in INVOKE.finditer(content)] or None


def read_parameters(body: str) -> Any:
    """Read the parameters of a call in tags.

    Values are texts; where the notation says so, or a list or an object stands there, they are read as JSON.
    """
    if body.lstrip(" \t\n(,[").startswith("{"):
        arguments = read_arguments(body.strip().lstrip("(,"))
        return body.strip() if arguments is None else arguments
    pairs: dict[str, Any] = {}
    for match in _PARAMETER.finditer(body):
        pairs[match[1]] = _value(match["value"], is_json=match["string"] == "false")
    for pattern in (_GLM_PAIR, _CHILD):
        pairs = pairs or {key.strip(): _value(text) for key, text in pattern.findall(body)}
    return pairs if pairs or not body.strip() else body.strip()


def read_python_calls(content: str) -> Calls | None:
    """Read calls written as Python: one, a list of them, or printed ones, a line each."""
    text = content.strip()
    if "(" not in text or len(text) > _LONGEST_PYTHON:
        return None
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
    calls: Calls = []
    for statement in statements:
        value = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
        for node in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
            if (call := _python_call(node, text)) is None:
                return None
            calls.append(call)
    return calls or None


def _python_call(node: Any, text: str) -> tuple[str, Any] | None:
    if isinstance(node, ast.Await):
        node = node.value
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name | ast.Attribute):
        return None
    name = ast.unparse(node.func)
    if name == "print" and len(node.args) == 1:
        return _python_call(node.args[0], text)
    name = _PYTHON_NAME.sub("", _PYTHON_NAME.sub("", name))
    source = ast.get_source_segment(text, node) or text
    arguments: dict[str, Any] = {}
    for keyword in node.keywords:
        try:
            arguments[str(keyword.arg)] = parse_literal(ast.unparse(keyword.value))
        except (ValueError, RecursionError):
            return name, source
    return (name, source) if node.args or None in {keyword.arg for keyword in node.keywords} else (name, arguments)


def _named_by_key(value: Mapping[str, Any]) -> Calls | None:
    """Read Apertus's form: the name is the only key, the arguments are its value."""
    [(name, arguments)] = value.items() if len(value) == 1 else [("", None)]
    return [(name, arguments)] if name and isinstance(arguments, dict) else None


def read_headed_call(content: str) -> Calls | None:
    """Read a name on its own line with an object under it: GLM 4, Functionary's `>>>f`, Hunyuan's with a fence."""
    if not (match := _HEADED.match(content)) or (arguments := read_arguments(match[3])) is None:
        return None
    return [(match[1], arguments)]


def _read_children(content: str) -> Calls | None:
    """Read a call whose name and parameters are tags of their own, as Claude 2 wrote it."""
    children = dict(_CHILD.findall(content))
    if len(children) == 1:
        return read_payload(next(iter(children.values())))
    name = next((children[key].strip() for key in _NAMES if key in children), "")
    body = next((children[key] for key in _ARGUMENTS if key in children), None)
    return [(name, read_parameters(body))] if name and body is not None else None


def _read_glm_call(content: str) -> Calls | None:
    """Read GLM's form: the name, then pairs of `<arg_key>` and `<arg_value>`."""
    name = _GLM_NAME.match(content)
    return [(name[1], read_parameters(content[name.end() :]))] if name else None


def _read_gemma_call(content: str) -> Calls | None:
    """Read Gemma's form: `call:f{key:<|"|>text<|"|>,other:3}`."""
    if not (match := _GEMMA_CALL.match(content)):
        return None
    parts = _GEMMA_STRING.split(match[2])
    for place, part in enumerate(parts):
        parts[place] = (
            '"' + part.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
            if place % 2
            else re.sub(r"([{,]\s*)([A-Za-z_][\w-]*)\s*:", r'\1"\2":', part)
        )
    arguments = read_arguments("".join(parts))
    return [(match[1], match[2] if arguments is None else arguments)]


def _value(text: str, *, is_json: bool = False) -> Any:
    stripped = text.strip()
    if is_json or stripped[:1] in ("{", "["):
        try:
            return parse_json(stripped)
        except ValueError:
            pass
    return text.removeprefix("\n").removesuffix("\n") if "\n" in stripped else stripped
