"""Citations by id become citations by number: in a text, in a stream, in JSON.

A number in brackets that is not glued to a word is always one of ours in the renumbered text: our own get a space
before them where they would be glued, and a bare `[3]` of the model's becomes `(3)`. Over a stream the joined output
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
    """Writes tokens with numbers for ids; the state between two tokens of one text.

    Args:
        known_ids: The retrieved ids.
    """

    known_ids: frozenset[str]
    numbers: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    _gap: str = ""
    _removed: bool = False
    _last: str = "\n"

    def write(self, token: Token) -> str:
        """Return what `token` adds to the output; blanks wait until it is known that no dropped citation follows."""
        if token.kind == "space":
            self._space(token.raw)
            return ""
        if token.kind == "citation":
            cited = self._cite(token.ids)
            if not cited:
                self._removed = True
                return ""
            return self._put(f"({cited})" if token.wrapped else cited, apart=True)
        # Where nothing was retrieved no number can pass for a citation, and `[3]` may be the answer: a list of one.
        return self._put(_unbracket(token.raw) if token.kind == "number" and self.known_ids else token.raw)

    def close(self) -> str:
        """Return the blanks that were held back at the end of the text."""
        return "" if self._removed else self._gap

    def _space(self, blanks: str) -> None:
        if not self._removed:
            self._gap += blanks
        elif self._last != "\n":
            self._gap, self._removed = blanks, False

    def _cite(self, ids: tuple[str, ...]) -> str:
        for found in ids:
            if found in self.known_ids:
                self.numbers.setdefault(found, len(self.numbers) + 1)
            elif found not in self.dropped:
                self.dropped.append(found)
        return " ".join(f"[{self.numbers[found]}]" for found in dict.fromkeys(ids) if found in self.known_ids)

    def _put(self, text: str, *, apart: bool = False) -> str:
        gap = self._gap
        if self._removed and self._last != "\n" and not (text[0].isalnum() or apart):
            gap = ""
        if apart and not gap and (self._last.isalnum() or self._last in "_])"):
            gap = " "
        self._gap, self._removed, self._last = "", False, text[-1]
        return gap + text


def _unbracket(raw: str) -> str:
    """`[3]` as `(3)`, and `[3](address)` as `[(3)](address)`, which still is a link."""
    digits, _, target = raw[1:].partition("]")
    return f"[({digits})]{target}" if target else f"({digits})"


def number_citations(text: str, sources: Mapping[str, object]) -> NumberedText:
    """Number the citations of `text` and drop those of sources that were never retrieved.

    Args:
        text: Markdown with citations as `[1a2b3c4d]`; see `grammar` for every accepted form.
        sources: The retrieved sources by id; only the keys matter.

    Returns:
        The text, the numbers given and the ids dropped. A dropped citation takes the blanks before it along.
    """
    numbering = Numbering(frozenset(sources))
    written = [numbering.write(token) for token in tokens(text, numbering.known_ids)]
    return NumberedText("".join(written) + numbering.close(), numbering.numbers, numbering.dropped)


def cited_ids(text: str) -> list[str]:
    """Return the ids cited in `text`, known or not, in order of first appearance, without repeats."""
    return list(dict.fromkeys(found for token in tokens(text) for found in token.ids))


class CitationStream:
    """Renumbers a text that arrives in deltas.

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
        """Return what `delta` lets out; may be empty."""
        return self._write(self._scanner.feed(delta))

    def close(self) -> str:
        """Return the rest. Nothing may be fed afterwards."""
        return self._write(self._scanner.close()) + self._numbering.close()

    def _write(self, tokens: Iterable[Token]) -> str:
        return "".join([self._numbering.write(token) for token in tokens])


def number_citations_in_json(text: str, sources: Mapping[str, object]) -> NumberedText:
    """Number the citations in each string of a JSON text; a list of ids, `["1a2b3c4d"]`, is no citation.

    Args:
        text: JSON; text that is none is renumbered as Markdown.
        sources: The retrieved sources by id; only the keys matter.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return number_citations(text, sources)
    numbers, dropped = dict[str, int](), list[str]()

    def within(value: Any) -> Any:
        match value:
            case str():
                numbering = Numbering(frozenset(sources), numbers, dropped)
                written = "".join([numbering.write(token) for token in tokens(value, numbering.known_ids)])
                return written + numbering.close()
            case list():
                return [within(item) for item in value]
            case dict():
                return {key: within(value) for key, value in value.items()}
            case _:
                return value

    return NumberedText(json.dumps(within(value), ensure_ascii=False), numbers, dropped)
