"""Tool calls that a model wrote into its text: found, and taken out, or at least told from an answer."""

# ruff: noqa: RUF001

import re
from collections.abc import Collection, Iterator
from itertools import islice
from typing import Any

from fusion_tool.models.wire.notations import LEFTOVERS, MARKED_NOTATIONS, NAMESPACE_MARK, own_tags
from fusion_tool.models.wire.payloads import Calls, read_headed_call, read_json_calls, read_python_calls
from fusion_tool.models.wire.prose import is_in_code, is_mid_sentence, is_quoted
from fusion_tool.models.wire.tool_names import match_name

_TRIGGER = re.compile(r"[{(=]|<[|｜/]?\w|\[TOOL")
"""One of these is in every call; most texts have none, and are done at once."""
_FENCE = re.compile(r"^[ \t]*(?:Action:[ \t]*)?(`{3,})[\w-]*[ \t]*\n(.*?)\n?[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_PLAIN_START = re.compile(
    r"^[ \t]*(?:Action:[ \t]*)?(?=[\[{]|[\w.]+\()|^(?=(?:>>>)?[\w.:-]+[ \t]*\n[ \t]*(?:`{3}|\{))", re.MULTILINE
)
_CUT_OFF = re.compile(
    r"\A\s*(?:<(?:\w+:)?(?:tool_calls?|function_calls?|function=|invoke)|<[|｜]tool|\[TOOL_CALLS\]|<\|python_tag)"
)
_TOOL_LIKE = re.compile(r"[A-Za-z_][\w.:-]{0,80}")
_PLACEHOLDER = "\0"
_MOST_CALLS = 64
"""Of one notation in one text: no model calls more at once, and a text of nothing but marks costs no time."""
_MOST_STARTS = 40
"""How many lines are tried as the beginning of a call without marks; a call at the end is among the last ones."""
LONGEST_LEAD = 300
"""Characters of text beside a call up to which the text is no answer: "I will search for this first."."""


def parse_text_calls(text: str, offered: Collection[str]) -> tuple[str, list[dict[str, Any]]]:
    """Take the tool calls out of a text.

    A call counts where a tool was offered under its name. Notation that is quoted, stands in code or amid a
    sentence, and plain JSON or Python with something after it, is what the text writes about, and stays.

    Args:
        text: A message's text, without leaked reasoning.
        offered: The names of the tools that the request offered.

    Returns:
        The text without them, and the calls as entries of `tool_calls` without ids, for `normalize_tool_calls`.
    """
    rest, calls = _split(text, offered)
    return rest, [
        {"type": "function", "function": {"name": match_name(name, offered), "arguments": arguments}}
        for name, arguments in calls
    ]


def looks_like_tool_call(text: str) -> bool:
    """Return whether a text is a tool call rather than an answer, whichever tool it names."""
    # Cut off at the token limit a call has no end, and no reader would take it.
    if _CUT_OFF.match(text):
        return True
    rest, calls = _split(text, None)
    return bool(calls) and len(rest) <= LONGEST_LEAD


def has_written_call(text: str) -> bool:
    """Return whether a call of any tool stands anywhere in a text."""
    return bool(_split(text, None)[1])


def _split(whole: str, offered: Collection[str] | None) -> tuple[str, Calls]:
    if not _TRIGGER.search(whole):
        return whole, []
    # The sure notations first: inside their marks there may be what a fence or plain JSON also looks like.
    text = whole.replace(_PLACEHOLDER, "").replace(NAMESPACE_MARK, "")
    found = [*_marked_calls(text, offered)] or [*_fenced_calls(text, offered)] or [*_plain_calls(text, offered)]
    if not found:
        return whole, []
    found.sort(key=lambda entry: entry[0])
    rest, place = "", 0
    for start, end, _ in found:
        rest, place = rest + text[place:start] + _PLACEHOLDER, end
    around = rf"(?:{LEFTOVERS.pattern}\s*)*\0(?:\s*(?:{LEFTOVERS.pattern}|\0))*"
    rest = re.sub(around, "", rest + text[place:], flags=re.IGNORECASE)
    return rest.strip(), [call for _, _, calls in found for call in calls]


def _marked_calls(text: str, offered: Collection[str] | None) -> Iterator[tuple[int, int, Calls]]:
    spans: list[tuple[int, int]] = []
    for pattern, read in (*MARKED_NOTATIONS, *own_tags(text, offered or ())):
        for match in islice(pattern.finditer(text), _MOST_CALLS):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end in spans):
                continue
            if is_in_code(text, start) or is_quoted(text, start, end) or is_mid_sentence(text, start, end):
                continue
            if (calls := read(match)) and _is_call(calls, offered):
                spans.append((start, end))
                yield start, end, calls


def _fenced_calls(text: str, offered: Collection[str] | None) -> Iterator[tuple[int, int, Calls]]:
    """Yield calls in fences with nothing after them; with prose after it, a fence is an example."""
    fences = list(_FENCE.finditer(text))
    end = len(text.rstrip())
    for fence in reversed(fences):
        if text[fence.end() : end].strip():
            return
        content = fence[2]
        inner = [call for _, _, calls in _marked_calls(content, offered) for call in calls]
        calls = inner or read_json_calls(content, by_key=bool(offered)) or read_python_calls(content)
        if not calls or not _is_call(calls, offered, plain=not inner):
            return
        end = fence.start()
        yield fence.start(), fence.end(), calls


def _plain_calls(text: str, offered: Collection[str] | None) -> Iterator[tuple[int, int, Calls]]:
    """Yield JSON or Python without any mark: from the beginning of a line to the end of the text."""
    whole = LEFTOVERS.sub("", text).rstrip()
    if whole[-1:] not in ("}", "]", ")", ";"):
        return
    for start, after in [match.span() for match in _PLAIN_START.finditer(text)][-_MOST_STARTS:]:
        if is_in_code(text, start):
            continue
        content = LEFTOVERS.sub("", text[after:])
        calls = (
            read_json_calls(content, by_key=bool(offered)) or read_python_calls(content) or read_headed_call(content)
        )
        if calls and _is_call(calls, offered, plain=True):
            yield start, len(text), calls
            return


def _is_call(calls: Calls, offered: Collection[str] | None, *, plain: bool = False) -> bool:
    """Return whether one of `calls` names an offered tool; where none is known, whether they have the form of calls."""
    if offered is not None:
        return any(match_name(name, offered) in offered for name, _ in calls)
    if plain:  # any JSON object with a name, any piece of code: only arguments by name make it a call
        return all(_TOOL_LIKE.fullmatch(name) and isinstance(arguments, dict) for name, arguments in calls)
    return all(_TOOL_LIKE.fullmatch(name) for name, _ in calls)
