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
class Renumbered:
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
        known: The retrieved ids.
    """

    known: frozenset[str]
    numbers: dict[str, int] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    _gap: str = ""
    _removed: bool = False
    _last: str = "\n"

    def write(self, token: Token) -> str:
        """What `token` adds to the output; blanks wait until it is known that no dropped citation follows."""
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
        return self._put(_unbracket(token.raw) if token.kind == "number" and self.known else token.raw)

    def close(self) -> str:
        """The blanks that were held back at the end of the text."""
        return "" if self._removed else self._gap

    def _space(self, blanks: str) -> None:
        if not self._removed:
            self._gap += blanks
        elif self._last != "\n":
            self._gap, self._removed = blanks, False

    def _cite(self, ids: tuple[str, ...]) -> str:
        for found in ids:
            if found in self.known:
                self.numbers.setdefault(found, len(self.numbers) + 1)
            elif found not in self.dropped:
                self.dropped.append(found)
        return " ".join(f"[{self.numbers[found]}]" for found in dict.fromkeys(ids) if found in self.known)

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


def renumber(text: str, known: Mapping[str, object]) -> Renumbered:
    """Number the citations of `text` and drop those of sources that were never retrieved.

    Args:
        text: Markdown with citations as `[1a2b3c4d]`; see `grammar` for every accepted form.
        known: The retrieved sources by id; only the keys matter.

    Returns:
        The text, the numbers given and the ids dropped. A dropped citation takes the blanks before it along.
    """
    numbering = Numbering(frozenset(known))
    written = [numbering.write(token) for token in tokens(text, numbering.known)]
    return Renumbered("".join(written) + numbering.close(), numbering.numbers, numbering.dropped)


def cited_ids(text: str) -> list[str]:
    """The ids cited in `text`, known or not, in order of first appearance, without repeats."""
    return list(dict.fromkeys(found for token in tokens(text) for found in token.ids))


class CitationStream:
    """Renumbers a text that arrives in deltas.

    Held back is only what may still change: a bracket that can still become a citation, a citation that
    the next one may join, inline code before it closes, a line that may open or close a code fence, and
    blanks before whatever comes next.

    Args:
        known: The retrieved sources by id; only the keys matter.
    """

    def __init__(self, known: Mapping[str, object]) -> None:
        self._numbering = Numbering(frozenset(known))
        self._scanner = Scanner(self._numbering.known)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each id cited so far."""
        return self._numbering.numbers

    @property
    def dropped(self) -> list[str]:
        """Ids cited so far that were never retrieved."""
        return self._numbering.dropped

    def feed(self, delta: str) -> str:
        """What `delta` lets out; may be empty."""
        return self._write(self._scanner.feed(delta))

    def close(self) -> str:
        """The rest. Nothing may be fed afterwards."""
        return self._write(self._scanner.close()) + self._numbering.close()

    def _write(self, tokens: Iterable[Token]) -> str:
        return "".join([self._numbering.write(token) for token in tokens])


def renumber_json(text: str, known: Mapping[str, object]) -> Renumbered:
    """As `renumber`, in each string of the JSON that `text` is; a list of ids, `["1a2b3c4d"]`, is no citation.

    Args:
        text: JSON; text that is none is renumbered as Markdown.
        known: The retrieved sources by id; only the keys matter.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return renumber(text, known)
    numbers, dropped = dict[str, int](), list[str]()

    def within(value: Any) -> Any:
        match value:
            case str():
                numbering = Numbering(frozenset(known), numbers, dropped)
                written = "".join([numbering.write(token) for token in tokens(value, numbering.known)])
                return written + numbering.close()
            case list():
                return [within(one) for one in value]
            case dict():
                return {key: within(one) for key, one in value.items()}
            case _:
                return value

    return Renumbered(json.dumps(within(value), ensure_ascii=False), numbers, dropped)
