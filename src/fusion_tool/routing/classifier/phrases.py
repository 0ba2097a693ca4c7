"""Word lists: words and phrases found in a text whatever their endings, and named patterns."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Any, TypeAlias

_PLURALS = (
    (re.compile(r"(?<=..)ies$"), "y"),
    (re.compile(r"(?<=ss|sh|ch)es$|(?<=[xz])es$"), ""),
    (re.compile(r"(?<=[^sui'])s$"), ""),
)
_PARTICIPLE = re.compile(r"(?<=...)(?:ed|ing)$")
_DOUBLED = re.compile(r"([bdfgmnprt])\1$")
_SHORT = re.compile(r"[^aeiou]+[aeiouy][^aeiouywx]")
"""What keeps or gets back its e: note is not not, proving is of prove."""
_WHOLE = re.compile(
    "(?:any|every|no|some)thing|building|ceiling|clothing|during|evening|housing|marketing|meeting|morning|news|odds|"
    "painting|pricing|series|setting|species|spring|string|weighing|wording"
)
"""English words that only look as if they had an ending, or mean something of their own with it."""


@lru_cache(maxsize=20_000)
def stem(word: str, language: str) -> str:
    """Return `word`, in lower case, without its endings.

    English loses inflections alone, by Harman's S-stemmer and Porter's step 1b: what derives a new word (product,
    productive; limit, limitation) often changes the domain. Other languages have Snowball's stemmers; one that it
    does not know keeps its endings.
    """
    if language == "en":
        return _english(word)
    stemmer = _snowball(language)
    return word if stemmer is None else str(stemmer.stemWord(word))


def _english(word: str) -> str:
    word = word.removesuffix("'s")
    if _WHOLE.fullmatch(word):
        return word
    # Plurals first, and then once more: "buildings" is "building", which is no form of "build".
    for ending, singular in _PLURALS:
        if ending.search(word):
            word = ending.sub(singular, word)
            break
    if _WHOLE.fullmatch(word):
        return word
    bare = _PARTICIPLE.sub("", word)
    if bare != word:
        single = _DOUBLED.sub(r"\1", bare)
        return single + "e" if single == bare and _SHORT.fullmatch(bare) else single.removesuffix("e")
    return word if _SHORT.fullmatch(word.removesuffix("e")) else word.removesuffix("e")


@cache
def _snowball(language: str) -> Any:
    import Stemmer

    try:
        return Stemmer.Stemmer(language)
    except KeyError:
        return None


Places: TypeAlias = Mapping[str, Sequence[int]]
"""Words to their positions."""

_TOKEN = re.compile(r"(?P<end>[.?!:;\n\u2026\u3002\uff1f\uff01])|(?P<word>\w+(?:[.']\w+)*[+#]*)")
_SEAM = re.compile(r"(?<=[a-z0-9+#])(?=[\u3040-\u9fff])|(?<=[\u3040-\u9fff])(?=[a-z0-9])")
"""Between Latin letters and a script that does not separate words."""
_ELIDING = frozenset({"fr", "it"})
"""Languages that join an article to its noun with an apostrophe."""


@dataclass(frozen=True)
class TokenizedText:
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
        entries: The phrases in their plain form.
        language: The language whose endings are ignored, ISO 639-1; `None` ignores none.
        together: Whether the language does not separate words, so that a phrase is found anywhere.
    """

    def __init__(self, entries: Iterable[str], language: str | None = None, *, together: bool = False) -> None:
        self._entries = tuple(entries)
        self._together = together
        self._stemmed = language is not None
        self._by_first: dict[str, list[tuple[Sequence[str], str]]] = {}
        for phrase in self._entries:
            tokens = tokenize(phrase, language).stems
            self._by_first.setdefault(tokens[0], []).append((tokens, phrase))

    def find(self, text: TokenizedText) -> dict[str, Sequence[int]]:
        """Return the phrases in `text`, in their plain form, each with the positions of its first word."""
        # Without words there are no positions: such a phrase counts as standing at the beginning.
        if self._together:
            return {phrase: (0,) for phrase in self._entries if phrase in text.plain}
        tokens, places = (text.stems, text.stem_places) if self._stemmed else (text.words, text.places)
        hits: dict[str, Sequence[int]] = {}
        # By first words: a question has some dozens of words and the lists have thousands of phrases.
        for first in self._by_first.keys() & places.keys():
            for phrase_tokens, phrase in self._by_first[first]:
                size = len(phrase_tokens)
                if at := [place for place in places[first] if tokens[place : place + size] == phrase_tokens]:
                    hits[phrase] = at
        return hits


def tokenize(text: str, language: str | None) -> TokenizedText:
    """Split `text` into words and, where its language is known, stems."""
    plain = _SEAM.sub(" ", text.casefold().replace("\u2019", "'"))  # typesetters' apostrophes are not on the lists
    if language in _ELIDING:
        plain = plain.replace("'", " ")
    words: list[str] = []
    starts = {0}
    for token in _TOKEN.finditer(plain):
        if token["word"]:
            words.append(token["word"])
        else:
            starts.add(len(words))
    # The very same list where there are no stems, by which `stem_places` sees that it need not be made.
    stems = words if language is None else [stem(word, language) for word in words]
    return TokenizedText(plain, words, stems, frozenset(starts))


def _places(tokens: Sequence[str]) -> Places:
    places: dict[str, list[int]] = {}
    for position, token in enumerate(tokens):
        places.setdefault(token, []).append(position)
    return places


Forms: TypeAlias = tuple[tuple[str, re.Pattern[str]], ...]
"""Regular expressions, each with its name."""

_TOGETHER = frozenset({"zh", "ja"})
"""Languages that do not separate words."""


@cache
def word_lists() -> Mapping[str, Any]:
    """Read `words.toml`, once a process."""
    return tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))


def split_entries(text: str) -> list[str]:
    """Split a text at its commas into entries, which may run over several lines."""
    return [entry for part in text.split(",") if (entry := " ".join(part.split()))]


def phrases(text: str, language: str | None = None) -> Phrases:
    """Build the `Phrases` of a list; without a language they are found only as they are written."""
    return Phrases(split_entries(text), language, together=language in _TOGETHER)


def compile_patterns(table: Mapping[str, str]) -> Forms:
    """Compile the regular expressions of a table, each with its name."""
    return tuple((name, re.compile(form)) for name, form in table.items())


def matching_patterns(patterns: Forms, text: str) -> list[str]:
    """Return the names of the forms that occur in `text`."""
    return [name for name, form in patterns if form.search(text)]
