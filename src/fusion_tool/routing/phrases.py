"""Listed words and phrases, found in a text whatever their endings."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from fusion_tool.routing.endings import stem

Places: TypeAlias = Mapping[str, Sequence[int]]
"""Words to their positions."""

_TOKEN = re.compile(r"(?P<end>[.?!:;\n\u2026\u3002\uff1f\uff01])|(?P<word>\w+(?:[.']\w+)*[+#]*)")
_SEAM = re.compile(r"(?<=[a-z0-9+#])(?=[\u3040-\u9fff])|(?<=[\u3040-\u9fff])(?=[a-z0-9])")
"""Between Latin letters and a script that does not separate words."""
_ELIDING = frozenset({"fr", "it"})
"""Languages that join an article to its noun with an apostrophe."""


@dataclass(frozen=True)
class Text:
    """A text's words.

    Args:
        plain: The text in lower case.
        words: Its words.
        stems: The same without endings, where the language is known.
        starts: Positions at which a sentence starts.
    """

    plain: str
    words: Sequence[str]
    stems: Sequence[str]
    starts: frozenset[int]

    @cached_property
    def places(self) -> Places:
        """Where each word stands."""
        return _places(self.words)

    @cached_property
    def stem_places(self) -> Places:
        """Where each stem stands."""
        return self.places if self.stems is self.words else _places(self.stems)


class Phrases:
    """A set of phrases.

    Args:
        listed: The phrases in their plain form.
        language: Whose endings are ignored, ISO 639-1; `None` ignores none.
        together: The language does not separate words: a phrase is found anywhere.
    """

    def __init__(self, listed: Iterable[str], language: str | None = None, *, together: bool = False) -> None:
        self._listed = tuple(listed)
        self._together = together
        self._stemmed = language is not None
        self._by_first: dict[str, list[tuple[Sequence[str], str]]] = {}
        for phrase in self._listed:
            tokens = read(phrase, language).stems
            self._by_first.setdefault(tokens[0], []).append((tokens, phrase))

    def found(self, text: Text) -> dict[str, Sequence[int]]:
        """The phrases in `text`, in their plain form, each with the positions of its first word."""
        if self._together:
            return {phrase: (0,) for phrase in self._listed if phrase in text.plain}
        tokens, places = (text.stems, text.stem_places) if self._stemmed else (text.words, text.places)
        hits: dict[str, Sequence[int]] = {}
        for first in self._by_first.keys() & places.keys():
            for wanted, phrase in self._by_first[first]:
                size = len(wanted)
                if at := [place for place in places[first] if tokens[place : place + size] == wanted]:
                    hits[phrase] = at
        return hits


def read(text: str, language: str | None) -> Text:
    """`text` as words and, where its language is given, stems."""
    plain = _SEAM.sub(" ", text.casefold().replace("\u2019", "'"))
    if language in _ELIDING:
        plain = plain.replace("'", " ")
    words: list[str] = []
    starts = {0}
    for token in _TOKEN.finditer(plain):
        if token["word"]:
            words.append(token["word"])
        else:
            starts.add(len(words))
    stems = words if language is None else [stem(word, language) for word in words]
    return Text(plain, words, stems, frozenset(starts))


def _places(tokens: Sequence[str]) -> Places:
    places: dict[str, list[int]] = {}
    for position, token in enumerate(tokens):
        places.setdefault(token, []).append(position)
    return places
