"""Citations by id become citations by number: in a text, in a stream, in JSON.

In the numbered text a number in brackets that is not glued to a word is always a citation of ours: one that would be
glued gets a space before it, and a bare `[3]` that the model wrote becomes `(3)`. The output of a stream, joined,
equals that of the whole text. In JSON citations stand inside the strings, and nowhere else.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fusion_tool.grounding.grammar import BRACKETS, Scanner, Token, tokens


@dataclass(frozen=True, slots=True)
class CitationMark:
    """A place where a text cites a source.

    Args:
        id: The cited source's id.
        start: Offset of the bracket of `[1]`, in characters.
        end: Offset behind it; equal to `start` where the id was never retrieved, and nothing stands in the text.
    """

    id: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Prose:
    """A piece of prose within a numbered text: the text itself, or one string of it where the text is JSON.

    Args:
        text: The prose, unescaped.
        marks: Its citations in order, with offsets in `text`.
        start: Offset of the prose in the whole.
        escaped: Whether the whole is JSON, in which a quote of the prose takes two characters.
    """

    text: str
    marks: tuple[CitationMark, ...]
    start: int = 0
    escaped: bool = False

    def locate(self, offset: int) -> int:
        """Return the offset in the whole of what stands at `offset` in the prose."""
        return self.start + (len(_escape(self.text[:offset])) if self.escaped else offset)


@dataclass(frozen=True, slots=True)
class NumberedText:
    """A text whose citations are numbers.

    Args:
        text: The text with `[1] [2]`.
        numbers: The number of each cited id, from 1 in order of first appearance.
        dropped: Ids that were cited and never retrieved, in order of first appearance, without repeats.
        prose: The prose of the text with its citations: one piece, or as many as the JSON has strings.
    """

    text: str
    numbers: dict[str, int]
    dropped: list[str]
    prose: tuple[Prose, ...]

    @property
    def invented(self) -> int:
        """The number of places where a source is cited that was never retrieved."""
        return sum(mark.start == mark.end for piece in self.prose for mark in piece.marks)


@dataclass(slots=True)
class Numbering:
    """The writer of one text's tokens, with numbers for ids; what it must remember from token to token.

    Args:
        known_ids: The retrieved ids.
        numbers: The number of each id cited so far; several texts may share it.
        dropped: Ids cited so far that were never retrieved; several texts may share it.
        marks: The citations of this text so far.
    """

    known_ids: frozenset[str]
    numbers: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    marks: list[CitationMark] = field(default_factory=list)
    # Characters written, blanks that wait for the next token, whether a dropped citation stands before them, the last
    # character written.
    _length: int = 0
    _gap: str = ""
    _after_dropped: bool = False
    _last: str = "\n"

    def write(self, token: Token) -> str:
        """Return what `token` adds to the output; blanks wait until no dropped citation can follow them."""
        if token.kind == "space":
            self._space(token.raw)
            return ""
        if token.kind == "citation":
            return self._cite(token)
        return self._put(_unbracket(token.raw) if token.kind == "number" else token.raw)

    def close(self) -> str:
        """Return the blanks that were held back at the end of the text."""
        return "" if self._after_dropped else self._gap

    def _space(self, blanks: str) -> None:
        if not self._after_dropped:
            self._gap += blanks
        # The blanks before a dropped citation go, those behind it stay: "a [x] b" becomes "a b". At the start of a line
        # there was nothing before it, and the blanks behind it would indent the line.
        elif self._last != "\n":
            self._gap, self._after_dropped = blanks, False

    def _cite(self, token: Token) -> str:
        known: list[str] = []
        for source_id in dict.fromkeys(token.ids):
            if source_id in self.known_ids:
                self.numbers.setdefault(source_id, len(self.numbers) + 1)
                known.append(source_id)
                continue
            self.marks.append(CitationMark(source_id, self._length, self._length))
            if source_id not in self.dropped:
                self.dropped.append(source_id)
        if not known:
            self._after_dropped = True
            return ""
        citation = " ".join(f"[{self.numbers[source_id]}]" for source_id in known)
        written = self._put(f"({citation})" if token.in_parentheses else citation, apart=True)
        end = self._length - len(written) + written.index("[")
        for source_id in known:
            start, end = end, end + len(f"[{self.numbers[source_id]}]")
            self.marks.append(CitationMark(source_id, start, end))
            end += 1  # the blank between two numbers
        return written

    def _put(self, text: str, *, apart: bool = False) -> str:
        gap = self._gap
        # "so [x]." becomes "so.": only a word or a citation needs the blank that stood before a dropped citation.
        if self._after_dropped and self._last != "\n" and not (text[0].isalnum() or apart):
            gap = ""
        if apart and not gap and (self._last.isalnum() or self._last in "_])"):
            gap = " "
        self._gap, self._after_dropped, self._last = "", False, text[-1]
        self._length += len(gap) + len(text)
        return gap + text


def _unbracket(raw: str) -> str:
    """Write `[3]` as `(3)`, and `[3](address)` as `[(3)](address)`, which still is a link."""
    digits, _, target = raw[1:].partition("]")
    return f"[({digits})]{target}" if target else f"({digits})"


def number_citations(text: str, sources: Mapping[str, object]) -> NumberedText:
    """Replace the cited ids of `text` by numbers, and drop those that were never retrieved.

    Args:
        text: Markdown with citations as `[1a2b3c4d]`; see `grammar` for every accepted form.
        sources: The retrieved sources by id; only the keys matter.

    Returns:
        The text, the number of each id and the ids dropped. A dropped citation takes the blanks before it along.
    """
    numbering = Numbering(frozenset(sources))
    written = _write_whole(text, numbering)
    return NumberedText(written, numbering.numbers, numbering.dropped, (Prose(written, tuple(numbering.marks)),))


def _write_whole(text: str, numbering: Numbering) -> str:
    pieces = [numbering.write(token) for token in tokens(text, numbering.known_ids)]
    return "".join(pieces) + numbering.close()


def cited_ids(text: str) -> list[str]:
    """Return the ids cited in `text`, known or not, in order of first appearance, without repeats."""
    # Each holds a bracket; a text without any need not be taken apart.
    if not any(bracket in text for bracket in BRACKETS):
        return []
    return list(dict.fromkeys(source_id for token in tokens(text) for source_id in token.ids))


class CitationStream:
    """A text that arrives in deltas and leaves with numbers for ids.

    Held back is only what may still change: a bracket that can still become a citation, a citation that
    the next one may join, inline code before it closes, a line that may open or close a code fence, and
    blanks before whatever comes next.

    Args:
        sources: The retrieved sources by id; only the keys matter.
    """

    def __init__(self, sources: Mapping[str, object]) -> None:
        self._numbering = Numbering(frozenset(sources))
        self._scanner = Scanner(self._numbering.known_ids)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each id cited so far."""
        return self._numbering.numbers

    @property
    def dropped(self) -> list[str]:
        """Ids cited so far that were never retrieved."""
        return self._numbering.dropped

    def feed(self, delta: str) -> str:
        """Return the output that `delta` makes certain; may be empty."""
        return self._write(self._scanner.feed(delta))

    def close(self) -> str:
        """Return the rest of the output; nothing may be fed afterwards."""
        return self._write(self._scanner.close()) + self._numbering.close()

    def _write(self, tokens: Iterable[Token]) -> str:
        return "".join([self._numbering.write(token) for token in tokens])


_AROUND = " \n\r\t`"
"""Characters that may stand around a JSON text: blanks, and those of a fence, of which one end may be missing."""
_STRING = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?')
"""A string of a JSON text; with the colon behind it, a key."""


def number_citations_in_json(text: str, sources: Mapping[str, object]) -> NumberedText:
    """Replace the cited ids in each string of a JSON text by numbers; a list of ids, `["1a2b3c4d"]`, is no citation.

    All else stays as it was written; a fence around it goes, and what a model says before the fence.

    Args:
        text: JSON; a text that does not parse is treated as Markdown.
        sources: The retrieved sources by id; only the keys matter.
    """
    json_text = _find_json(text)
    if json_text is None:
        return number_citations(text, sources)
    numbers, dropped = dict[str, int](), list[str]()
    pieces, prose, length, place = list[str](), list[Prose](), 0, 0
    for match in _STRING.finditer(json_text):
        string, colon = match.groups()
        if colon:
            continue
        # A fence or a gap of one string must not reach into the next; only the numbers run through.
        numbering = Numbering(frozenset(sources), numbers, dropped)
        # Half of an emoji, which only JSON can spell, could be stored and sent nowhere.
        written = _write_whole(json.loads(string).encode(errors="replace").decode(), numbering)
        before = json_text[place : match.start() + 1]
        prose.append(Prose(written, tuple(numbering.marks), start=length + len(before), escaped=True))
        pieces += [before, _escape(written)]
        length, place = length + len(before) + len(pieces[-1]), match.end(1) - 1
    return NumberedText("".join([*pieces, json_text[place:]]), numbers, dropped, tuple(prose))


def _find_json(text: str) -> str | None:
    """Return the JSON that a text is, or that it ends with in a fence; `None` where there is none."""
    whole = text.strip(_AROUND)
    candidates = (whole, whole.removeprefix("json"), whole.partition("```")[2].removeprefix("json"))
    return next((found for candidate in candidates if _is_json(found := candidate.strip())), None)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_int=str)  # whose digits may be more than Python counts with
    except (ValueError, RecursionError):
        return False
    return True


def _escape(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]
