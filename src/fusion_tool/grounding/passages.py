"""Which passages of a source speak of a claim's matter."""

import re
from dataclasses import dataclass
from functools import lru_cache

from fusion_tool.grounding.dates import Date, blanked, dates
from fusion_tool.grounding.lexicon import concept, forms
from fusion_tool.grounding.quantities import Quantity, quantities
from fusion_tool.grounding.sentences import sentences
from fusion_tool.grounding.wording import contents, names, plain, words

_WINDOWS = 6
"""Passages that are compared in full, at most."""

_SNIPPET = 4
"""Sentences of a source so short that it is one passage as a whole, too."""

_ROOT = 3
"""Letters that a word must share with a claim's word before it is worth stemming."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a claim or a passage states.

    Args:
        text: As `plain` gives it.
        concepts: Its content words; see `contents`.
        quantities: Its quantities.
        dates: Its dates.
        names: Its names.
    """

    text: str
    concepts: dict[str, str]
    quantities: list[Quantity]
    dates: list[Date]
    names: list[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A source made ready for comparison.

    Args:
        text: As `plain` gives it.
        sentences: Its sentences.
        bags: The words of each sentence.
        words: All of its words.
    """

    text: str
    sentences: list[str]
    bags: list[frozenset[str]]
    words: frozenset[str]


@lru_cache(maxsize=2_000)
def state(text: str) -> Statement:
    """Read what `text` states; `text` comes from `plain`."""
    found = dates(text)
    undated = blanked(text, found)
    figures = quantities(undated)
    return Statement(text, contents(text), figures, found, names(blanked(undated, figures)))


@lru_cache(maxsize=64)
def read(source: str) -> Reading:
    """Read a source once for all the claims that cite it."""
    text = plain(source)
    parts = [" ".join(text[start:end].split()) for start, end in sentences(text)]
    bags = [frozenset(words(part)) for part in parts]
    return Reading(text, parts, bags, frozenset().union(*bags))


def passages(claim: Statement, source: Reading) -> tuple[frozenset[str], list[Statement]]:
    """Where `source` speaks of the claim's matter.

    Returns:
        The claim's concepts that stand anywhere in the source; and single sentences and pairs of neighbours,
        those with most of the claim's words first.
    """
    hits = _hits(claim, source)
    figures = bool(claim.quantities or claim.dates)
    scored: list[tuple[float, int, int]] = []
    for i, here in enumerate(hits):
        bonus = 0.5 if figures and re.search(r"\d", source.sentences[i]) else 0.0
        if here:
            scored.append((len(here) + bonus, i, i + 1))
        if i and (here or hits[i - 1]):
            scored.append((len(here | hits[i - 1]) - 0.4 + bonus, i - 1, i + 1))
    if 1 < len(hits) <= _SNIPPET:
        scored.append((len(frozenset[str]().union(*hits)) - 0.8, 0, len(hits)))
    scored.sort(key=lambda row: (-row[0], row[1], row[2]))
    windows = ["\n".join(source.sentences[start:end]) for _, start, end in scored[:_WINDOWS]]
    return frozenset[str]().union(*hits), [state(window) for window in windows]


def _hits(claim: Statement, source: Reading) -> list[set[str]]:
    """Per sentence of the source, which of the claim's concepts it holds; stems only words that may match."""
    wanted = set(claim.concepts)
    roots = {form for key in wanted for form in (key, *forms(key)) if len(form) >= _ROOT}
    starts = tuple({root[: max(_ROOT, len(root) - 1)] for root in roots})
    short = {form for key in wanted for form in (key, *forms(key))}
    table = {
        word: key
        for word in source.words
        if (word in short or word.startswith(starts)) and (key := concept(word)) in wanted
    }
    return [{table[word] for word in bag & table.keys()} for bag in source.bags]
