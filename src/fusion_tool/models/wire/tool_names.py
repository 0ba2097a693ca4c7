"""Which offered tool a model means: names come with prefixes, channels, capitals and spaces.

Seen in public reports: `functions.x` (gpt-oss, Kimi), `default_api.x` (Gemini), `mcp__server__x` (Claude),
`x<|channel|>commentary` and `<|channel|>commentary to=functions.x` (gpt-oss behind several servers), `functions.x:0`
and `x_0` (Kimi's ids as names), `WebSearch` and `web search` (small models).
"""

# ruff: noqa: RUF001

import re
from collections.abc import Collection, Iterator

UNKNOWN_TOOL = "unknown_tool"
"""The name of a call that has none: no provider takes an empty one back."""

_RECIPIENT = re.compile(r"\bto=([\w.:\-]+)")
_TOKEN = re.compile(r"<[|｜]?[^<>]*[|｜]?>|<[|｜].*\Z", re.DOTALL)
_SEPARATOR = re.compile(r"[./:]|__")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 64


def match_name(raw: object, offered: Collection[str]) -> str:
    """Return the offered tool that `raw` means, else `raw` as a name that every provider takes back.

    Args:
        raw: The name as it came; anything but a text names nothing.
        offered: The names of the tools that the request offered.
    """
    # An exact name needs no guess, even where it holds a prefix that is taken off others.
    text = raw if isinstance(raw, str) else ""
    if text in offered:
        return text
    by_letters: dict[str, str | None] = {}
    for name in offered:
        by_letters[_letters(name)] = None if _letters(name) in by_letters else name  # two that look alike: neither
    for candidate in _candidates(text):
        if match := by_letters.get(_letters(candidate)):
            return match
    return _UNSAFE.sub("_", _TOKEN.sub("", text)).strip("_")[:_LONGEST_NAME] or UNKNOWN_TOOL


def may_grow(raw: str, offered: Collection[str]) -> bool:
    """Return whether `raw` is only the beginning of a longer offered name."""
    letters = _letters(raw)
    return any(_letters(name).startswith(letters) and _letters(name) != letters for name in offered)


def _candidates(text: str) -> Iterator[str]:
    """Yield the names that may be inside `text`, the likeliest first."""
    for written in (*_RECIPIENT.findall(text), _TOKEN.split(text, maxsplit=1)[0], _TOKEN.sub("", text)):
        name = re.sub(r":\d+\Z", "", written.split("(")[0].strip().strip("`'\"*"))
        if not name:
            continue
        for plain in (name, re.sub(r"[_-]\d+\Z", "", name)):
            yield plain
            for separator in _SEPARATOR.finditer(plain):
                yield plain[separator.end() :]


def _letters(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())
