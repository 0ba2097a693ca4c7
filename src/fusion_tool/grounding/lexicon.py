"""The word lists of the audit, read once from `lexicon.toml`."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Word lists by which the audit compares texts.

    Args:
        stop: Words that carry no claim.
        abbreviations: Words whose full stop ends no sentence, lower case, without it.
        hedges: What takes back a claim's certainty.
        negations: Words that turn a claim round.
        concepts: Surface form to concept, for words with listed synonyms.
        opposites: Concept to the concepts that exclude it.
    """

    stop: frozenset[str]
    abbreviations: frozenset[str]
    hedges: re.Pattern[str]
    negations: frozenset[str]
    concepts: dict[str, str]
    opposites: dict[str, frozenset[str]]


@cache
def lexicon() -> Lexicon:
    """The packaged lexicon."""
    data = tomllib.loads(resources.files(__package__).joinpath("lexicon.toml").read_text("utf-8"))
    concepts: dict[str, str] = {}
    for row in data["same"]:
        words = row.split()
        for word in words:
            concepts.setdefault(word, concepts.get(words[0], words[0]))
    opposites: dict[str, set[str]] = {}
    for one, other in data["opposite"]:
        left, right = (concepts.get(word) or stem(word) for word in (one, other))
        opposites.setdefault(left, set()).add(right)
        opposites.setdefault(right, set()).add(left)
    return Lexicon(
        stop=frozenset(data["stop"].split()),
        abbreviations=frozenset(data["abbreviations"].split()),
        hedges=re.compile(rf"\b(?:{'|'.join(data['hedges'])})\b"),
        negations=frozenset(data["negations"].split()),
        concepts=concepts,
        opposites={side: frozenset(others) for side, others in opposites.items()},
    )


@cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """The stem of a lower-case English word (Snowball's English algorithm); other scripts stay as they are."""
    return str(_stemmer().stemWord(word)) if word.isascii() else word


@lru_cache(maxsize=20_000)
def concept(word: str) -> str:
    """What `word` (lower case) is compared by: its row of synonyms, else its stem."""
    known = lexicon().concepts
    return known.get(word) or known.get(stem(word)) or stem(word)


@lru_cache(maxsize=2_000)
def forms(key: str) -> tuple[str, ...]:
    """The listed words of a concept."""
    return tuple(word for word, other in lexicon().concepts.items() if other == key)
