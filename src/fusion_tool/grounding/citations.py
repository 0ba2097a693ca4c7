"""Citations by id become citations by number: in a text, in a stream, in JSON.

In the numbered text a number in brackets that is not glued to a word is always a citation of ours: one that would be
glued gets a space before it, and a bare `[3]` that the model wrote becomes `(3)`. The output of a stream, joined,
equals that of the whole text. In JSON citations stand inside the strings, and nowhere else.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fusion_tool.grounding.grammar import Scanner, Token, tokens


@dataclass(frozen=True, slots=True)
class NumberedText:
    """A text whose citations are numbers.

    Args:
        text: The text with `[1] [2]`.
        numbers: The number of each cited id, from 1 in order of first appearance.
        dropped: Ids that were cited and never retrieved, in order of first appearance, without repeats.
    """

    text: str
    numbers: dict[str, int]
    dropped: list[str]


@dataclass(slots=True)
class Numbering:
    """The writer of one text's tokens, with numbers for ids; what it must remember from token to token.

    Args:
        known_ids: The retrieved ids.
        numbers: The number of each id cited so far; several texts may share it.
        dropped: Ids cited so far that were never retrieved; several texts may share it.
    """

    known_ids: frozenset[str]
    numbers: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    # Blanks that wait for the next token, whether a dropped citation stands before them, the last character written.
    _gap: str = ""
    _after_dropped: bool = False
    _last: str = "\n"

    def write(self, token: Token) -> str:
        """Return what `token` adds to the output; blanks wait until no dropped citation can follow them."""
        if token.kind == "space":
            self._space(token.raw)
            return ""
        if token.kind == "citation":
            citation = self._cite(token.ids)
            if not citation:
                self._after_dropped = True
                return ""
            return self._put(f"({citation})" if token.in_parentheses else citation, apart=True)
        # Where nothing was retrieved no number can pass for a citation, and `[3]` may be the answer: a list of one.
        return self._put(_unbracket(token.raw) if token.kind == "number" and self.known_ids else token.raw)

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

    def _cite(self, ids: tuple[str, ...]) -> str:
        for source_id in ids:
            if source_id in self.known_ids:
                self.numbers.setdefault(source_id, len(self.numbers) + 1)
            elif source_id not in self.dropped:
                self.dropped.append(source_id)
        known = [source_id for source_id in dict.fromkeys(ids) if source_id in self.known_ids]
        return " ".join(f"[{self.numbers[source_id]}]" for source_id in known)

    def _put(self, text: str, *, apart: bool = False) -> str:
        gap = self._gap
        # "so [x]." becomes "so.": only a word or a citation needs the blank that stood before a dropped citation.
        if self._after_dropped and self._last != "\n" and not (text[0].isalnum() or apart):
            gap = ""
        if apart and not gap and (self._last.isalnum() or self._last in "_])"):
            gap = " "
        self._gap, self._after_dropped, self._last = "", False, text[-1]
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
    return NumberedText(_write_whole(text, numbering), numbering.numbers, numbering.dropped)


def _write_whole(text: str, numbering: Numbering) -> str:
    pieces = [numbering.write(token) for token in tokens(text, numbering.known_ids)]
    return "".join(pieces) + numbering.close()


def cited_ids(text: str) -> list[str]:
    """Return the ids cited in `text`, known or not, in order of first appearance, without repeats."""
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


def number_citations_in_json(text: str, sources: Mapping[str, object]) -> NumberedText:
    """Replace the cited ids in each string of a JSON text by numbers; a list of ids, `["1a2b3c4d"]`, is no citation.

    Args:
        text: JSON; a text that does not parse is treated as Markdown.
        sources: The retrieved sources by id; only the keys matter.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return number_citations(text, sources)
    numbers, dropped = dict[str, int](), list[str]()

    def convert(value: Any) -> Any:
        match value:
            case str():
                # A fence or a gap of one string must not reach into the next; only the numbers run through.
                return _write_whole(value, Numbering(frozenset(sources), numbers, dropped))
            case list():
                return [convert(item) for item in value]
            case dict():
                return {key: convert(value) for key, value in value.items()}
            case _:
                return value

    return NumberedText(json.dumps(convert(value), ensure_ascii=False), numbers, dropped)
