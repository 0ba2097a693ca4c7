"""Markdown and plain text cut into sentences."""

import re

from fusion_tool.grounding.lexicon import lexicon

_END = re.compile(r"[.!?…]+[\"'\u201d\u2019)*_]*(?P<cited>(?:[ \t]*\[[^\[\]\n]{1,400}\])*)(?=\s|$)|[。\uff01\uff1f]+")
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(r"[ \t]*(?:>[ \t]*)*(?:#{1,6}[ \t]+|[-*+•][ \t]+|\d{1,3}[.)][ \t]+)?(?:\[[ xX]\][ \t]+)?")
_RULE = re.compile(r"[\s|:=*_-]*")
_MARKER = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t]|\||>)")


def sentences(text: str) -> list[tuple[int, int]]:
    """The sentences of `text` as (start, end) offsets in characters, in order.

    A list item, a heading and a table's row each end their sentence; the soft line breaks of a paragraph do
    not. What stands in brackets directly behind a full stop belongs to the sentence before it. Abbreviations,
    initials and decimals end nothing.
    """
    return [span for block in _blocks(text) for span in _split(text, *block)]


def _blocks(text: str) -> list[tuple[int, int]]:
    """Paragraphs, list items, headings and table rows, without their markers."""
    blocks: list[tuple[int, int]] = []
    joins = False
    for line in _LINE.finditer(text):
        if _RULE.fullmatch(line[0]):
            joins = False
            continue
        marked = _MARKER.match(line[0])
        adjacent = blocks and text.count("\n", blocks[-1][1], line.start()) == 1
        if joins and adjacent and not marked:
            blocks[-1] = (blocks[-1][0], line.end())
        else:
            start = _BULLET.match(line[0])
            blocks.append((line.start() + (start.end() if start else 0), line.end()))
        joins = not (marked and marked[0].strip()[:1] in {"#", "|"})
    return blocks


def _split(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for stop in _END.finditer(text, start, end):
        if stop[0].startswith(".") and not _ends(text, stop.start(), stop.end(), end):
            continue
        spans.append((start, stop.end()))
        start = stop.end()
    spans.append((start, end))
    trimmed = [_trim(text, *span) for span in spans]
    return [span for span in trimmed if span[0] < span[1]]


def _ends(text: str, stop: int, after: int, end: int) -> bool:
    """Whether the full stop at `stop` ends a sentence: no abbreviation, no initial, and no small letter next."""
    word = text[max(0, stop - 12) : stop].split()[-1:] or [""]
    bare = word[0].strip("(\"'\u201c*_").lower()
    following = text[after : min(after + 40, end)].lstrip(" \t\n\"'\u201c\u2018*_(")
    if following[:1].islower():
        return False
    initial = len(bare) == 1 and bare.isalpha() and word[0][-1].isupper()
    return not following or not (initial or bare in lexicon().abbreviations)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\n|":
        start += 1
    while end > start and text[end - 1] in " \t\n|":
        end -= 1
    return start, end
