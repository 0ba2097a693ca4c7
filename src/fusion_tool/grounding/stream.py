"""Renumbering over a stream: the joined output equals `renumber` of the whole text."""

from collections.abc import Iterable, Mapping

from fusion_tool.grounding.citations import Numbering
from fusion_tool.grounding.grammar import Scanner, Token


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
