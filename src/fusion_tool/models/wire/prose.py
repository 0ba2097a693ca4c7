"""Whether a tag or token stands in a text as itself, or because the text writes about it.

Everything here is decided by what comes before a place (and, for quotation marks, the next character), so that a
stream decides as a whole text does.
"""

# ruff: noqa: RUF001

import re

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)
_TICKS = re.compile(r"`+")
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "«": "»", "„": "“", "(": ")", "[": "]", "*": "*"}


def is_in_code(text: str, place: int) -> bool:
    """Return whether `place` is inside fenced or inline code (CommonMark, sections 4.5 and 6.1)."""
    fence = ""
    for mark in _FENCE.finditer(text, 0, place):
        if not fence:
            fence = mark[1]
        elif mark[1].startswith(fence):
            fence = ""
    if fence:
        return True
    open_ticks = ""
    for ticks in _TICKS.finditer(text, text.rfind("\n", 0, place) + 1, place):
        if not open_ticks:
            open_ticks = ticks[0]
        elif ticks[0] == open_ticks:
            open_ticks = ""
    return bool(open_ticks)


def is_quoted(text: str, start: int, end: int) -> bool:
    """Return whether quotation marks or brackets stand around what begins at `start` and ends at `end`."""
    return start > 0 and end < len(text) and _QUOTES.get(text[start - 1]) == text[end]


def line_before(text: str, place: int) -> str:
    """Return what stands before `place` on its line."""
    return text[text.rfind("\n", 0, place) + 1 : place]


def is_mid_sentence(text: str, start: int, end: int) -> bool:
    """Return whether words that belong to one sentence stand before `start` and after `end` on one line."""
    before = line_before(text, start).rstrip()
    after = text[end:].split("\n", 1)[0].lstrip()
    return bool(before and after) and (before[-1].isalnum() or before[-1] in ",`*_") and not after.startswith("<")
