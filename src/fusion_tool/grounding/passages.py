"""Claims and sources in one form, and the passages of a source that are nearest to a claim.

`split_sentences` cuts Markdown and plain text, `parse_statement` reads what a piece of it states, `index_source`
prepares a whole source, and `nearest_passages` selects what `support` compares in full.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fusion_tool.grounding.dates import Date, blank_spans, find_dates
from fusion_tool.grounding.quantities import Quantity, find_quantities
from fusion_tool.grounding.wording import (
    concept,
    content_words,
    lexicon,
    names,
    normalize_text,
    words,
    words_of_concept,
)

_END = re.compile(
    r"[.!?…]+[\"'\u201d\u2019)*_]*(?P<cited>(?:[ \t]*(?:\[[^\[\]\n]{1,400}\]|\((?:\[\d+\] ?)+\)))*)(?=\s|$)"
    r"|[。\uff01\uff1f]+"
)
_LINE = re.compile(r"[^\n]+")
_BULLET = re.compile(r"[ \t]*(?:>[ \t]*)*(?:#{1,6}[ \t]+|[-*+•][ \t]+|\d{1,3}[.)][ \t]+)?(?:\[[ xX]\][ \t]+)?")
# A line of marks alone: a blank line, a thematic break, the rule of a table's head.
_RULE = re.compile(r"[\s|:=*_-]*")
_MARKER = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t]|\||>)")


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Return the sentences of `text` as (start, end) offsets in characters, in order.

    A list item, a heading and a table's row each end their sentence; the soft line breaks of a paragraph do
    not. What stands in brackets directly behind a full stop belongs to the sentence before it. Abbreviations,
    initials and decimals end nothing.
    """
    return [span for block in _blocks(text) for span in _split(text, *block)]


def _blocks(text: str) -> list[tuple[int, int]]:
    """Return the offsets of paragraphs, list items, headings and table rows, without their markers."""
    blocks: list[tuple[int, int]] = []
    joins = False
    for line in _LINE.finditer(text):
        if _RULE.fullmatch(line[0]):
            joins = False
            continue
        marker = _MARKER.match(line[0])
        adjacent = blocks and text.count("\n", blocks[-1][1], line.start()) == 1
        if joins and adjacent and not marker:
            blocks[-1] = (blocks[-1][0], line.end())
        else:
            start = _BULLET.match(line[0])
            blocks.append((line.start() + (start.end() if start else 0), line.end()))
        # A list item may go on in the next line; a heading and a table's row end with theirs.
        joins = not (marker and marker[0].strip()[:1] in {"#", "|"})
    return blocks


def _split(text: str, start: int, end: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for stop in _END.finditer(text, start, end):
        if stop[0].startswith(".") and not _ends(text, stop.start(), stop.end(), end):
            continue
        spans.append((start, stop.end()))
        start = stop.end()
    spans.append((start, end))
    return [span for span in (_trim(text, *span) for span in spans) if span[0] < span[1]]


def _ends(text: str, stop: int, after: int, end: int) -> bool:
    """Tell whether the full stop at `stop` ends a sentence: no abbreviation, no initial, no small letter next."""
    word = text[max(0, stop - 12) : stop].split()[-1:] or [""]
    bare = word[0].strip("(\"'\u201c*_").lower()
    # A bounded look in both directions: without it a long text would be copied once for each of its full stops.
    following = text[after : min(after + 40, end)].lstrip(" \t\n\"'\u201c\u2018*_(")
    if following[:1].islower():
        return False
    is_initial = len(bare) == 1 and bare.isalpha() and word[0][-1].isupper()
    return not following or not (is_initial or bare in lexicon().abbreviations)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start] in " \t\n|":
        start += 1
    while end > start and text[end - 1] in " \t\n|":
        end -= 1
    return start, end


_MAX_PASSAGES = 6
"""The most passages that are compared in full: the comparison is the slow part, and the best is among the first."""

_SNIPPET_SENTENCES = 4
"""The most sentences of a source that counts as one passage as a whole, too; a search result's snippet has as many."""

_MAX_SOURCES = 3
"""The most sources that an uncited sentence is compared with in full."""

_ELSEWHERE = 0.7
"""The weight of a word that stands in the source but outside the passage, in which it weighs 1."""

EXCERPT = 400
"""The most characters of a source that are shown beside a verdict."""

_EXCERPTS, _WORD_ROOM = 12, 40
"""How many cuts of a long passage are compared, and characters by which the last of them may fall short."""

_ROOT = 3
"""Letters that a word must share with a claim's word before it is worth stemming."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The content of a claim or a passage, in the form in which the two are compared.

    Args:
        text: As `normalize_text` gives it.
        concepts: Its content words; see `content_words`.
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
class SourceIndex:
    """A source made ready for comparison.

    Args:
        text: As `normalize_text` gives it.
        sentences: Its sentences, each on one line.
        bags: The words of each sentence, in lower case.
        words: All of its words.
    """

    text: str
    sentences: list[str]
    bags: list[frozenset[str]]
    words: frozenset[str]


# The claims of an answer meet in the same passages again and again, as do the sentences of a passage.
@lru_cache(maxsize=2_000)
def parse_statement(text: str) -> Statement:
    """Read what `text` states; `text` comes from `normalize_text`."""
    # Dates first, then figures, then names, each from what the others left: the 12 of "12 March" is no count, and the
    # GB of "5 GB" no name.
    dates = find_dates(text)
    without_dates = blank_spans(text, dates)
    quantities = find_quantities(without_dates)
    return Statement(text, content_words(text), quantities, dates, names(blank_spans(without_dates, quantities)))


@lru_cache(maxsize=64)
def index_source(source: str) -> SourceIndex:
    """Read a source once for all the claims that cite it."""
    text = normalize_text(source)
    parts = [" ".join(text[start:end].split()) for start, end in split_sentences(text)]
    bags = [frozenset(words(part)) for part in parts]
    return SourceIndex(text, parts, bags, frozenset().union(*bags))


def nearest_passages(claim: Statement, source: SourceIndex) -> tuple[frozenset[str], list[Statement]]:
    """Return where `source` speaks of the claim's matter.

    Returns:
        The claim's concepts that stand anywhere in the source; and the best of its single sentences and pairs
        of neighbours, those with most of the claim's words first.
    """
    hits = _hits(claim, source)
    figures = bool(claim.quantities or claim.dates)
    # A point for each word of the claim. What is added or taken off is less than a point, so that it only decides
    # between equals: for a sentence with figures where the claim has some, against a longer passage.
    scored: list[tuple[float, int, int]] = []
    for i, here in enumerate(hits):
        bonus = 0.5 if figures and re.search(r"\d", source.sentences[i]) else 0.0
        if here:
            scored.append((len(here) + bonus, i, i + 1))
        if i and (here or hits[i - 1]):
            scored.append((len(here | hits[i - 1]) - 0.4 + bonus, i - 1, i + 1))
    if 1 < len(hits) <= _SNIPPET_SENTENCES:
        scored.append((len(frozenset[str]().union(*hits)) - 0.8, 0, len(hits)))
    scored.sort(key=lambda row: (-row[0], row[1], row[2]))
    windows = ["\n".join(source.sentences[start:end]) for _, start, end in scored[:_MAX_PASSAGES]]
    return frozenset[str]().union(*hits), [parse_statement(window) for window in windows]


def nearest_sources(sentence: str, texts: Mapping[str, str], share: float) -> list[str]:
    """Return the keys of the texts that hold most of the words of `sentence`, at most three, the best first.

    Args:
        sentence: A claim.
        texts: The sources' texts by key.
        share: The least share of the sentence's content words that a text must hold.
    """
    claim = parse_statement(normalize_text(sentence))
    forms = [{word, key, *words_of_concept(key)} for key, word in claim.concepts.items()]
    shared = {key: sum(not index_source(text).words.isdisjoint(each) for each in forms) for key, text in texts.items()}
    # The full comparison of a long page takes milliseconds; most pages are about something else.
    best = sorted((key for key in texts if shared[key] >= share * len(forms) > 0), key=lambda key: -shared[key])
    return best[:_MAX_SOURCES]


def excerpt(passage: str, claim: Statement) -> str:
    """Return `passage` as one line of at most 400 characters: of a longer one, the part with most of the claim."""
    line = " ".join(passage.split())
    if len(line) <= EXCERPT:
        return line
    starts = [0, *(gap.end() for gap in re.finditer(r"\s", line) if gap.end() <= len(line) - EXCERPT + _WORD_ROOM)]
    windows = [line[start : start + EXCERPT - 2] for start in starts[:: max(1, len(starts) // _EXCERPTS)]]
    best = max(windows, key=lambda window: len(content_words(window).keys() & claim.concepts.keys()))
    start = line.index(best)
    whole = best if start + len(best) == len(line) else best.rpartition(" ")[0] or best
    return f"{'…' if start else ''}{whole}{'…' if start + len(best) < len(line) else ''}"


def _hits(claim: Statement, source: SourceIndex) -> list[set[str]]:
    """Return, for each sentence of the source, which of the claim's concepts it holds."""
    concepts = set(claim.concepts)
    # A long page has thousands of different words, and stemming each would take most of the audit's time. Words of one
    # stem begin alike but for its last letter ("carry", "carried"), a few irregular ones aside.
    forms = {form for key in concepts for form in (key, *words_of_concept(key))}
    starts = tuple({form[: max(_ROOT, len(form) - 1)] for form in forms if len(form) >= _ROOT})
    table = {
        word: key
        for word in source.words
        if (word in forms or word.startswith(starts)) and (key := concept(word)) in concepts
    }
    return [{table[word] for word in bag & table.keys()} for bag in source.bags]


def nearest_sentence(claim: Statement, passage: Statement) -> Statement:
    """Return the sentence of the passage that shares most words with the claim, the claim's names aside."""
    # Names aside: in a passage about one company its name is in each sentence, and tells none of them apart.
    own = claim.concepts.keys() - {concept(word) for name in claim.names for word in words(name)}
    return max(map(parse_statement, passage.text.split("\n")), key=lambda part: len(part.concepts.keys() & own))


def topic_of(claim: Statement) -> set[str]:
    """Return the claim's concepts without those within its figures and dates, which are compared by value."""
    spans = [(quantity.start, quantity.end) for quantity in claim.quantities] + [
        (date.start, date.end) for date in claim.dates
    ]
    figures = {word for start, end in spans for word in words(claim.text[start:end])}
    return {key for key, word in claim.concepts.items() if word not in figures}


def coverage_of(topic: set[str], passage: Statement, anywhere: frozenset[str] = frozenset()) -> float:
    """Return the share of `topic` that stands in the passage or, which counts less, `anywhere` in its source."""
    if not topic:
        return 1.0
    inside = topic & passage.concepts.keys()
    return (len(inside) + _ELSEWHERE * len((topic - inside) & anywhere)) / len(topic)
