"""What a text says beside its figures: content words, names, quotations, negations, hedges.

The word lists are read once from `lexicon.toml`.
"""

import re
import tomllib
import unicodedata
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
    """Return the packaged lexicon."""
    data = tomllib.loads(resources.files(__package__).joinpath("lexicon.toml").read_text("utf-8"))
    concepts: dict[str, str] = {}
    for row in data["same"]:
        words = row.split()
        for word in words:
            concepts.setdefault(word, concepts.get(words[0], words[0]))
    opposites: dict[str, set[str]] = {}
    for left_word, other in data["opposite"]:
        left, right = (concepts.get(word) or stem(word) for word in (left_word, other))
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
    """Return the stem of a lower-case English word (Snowball's English algorithm); other scripts stay as they are."""
    return str(_stemmer().stemWord(word)) if word.isascii() else word


@lru_cache(maxsize=20_000)
def concept(word: str) -> str:
    """Return what `word` (lower case) is compared by: its row of synonyms, else its stem."""
    known = lexicon().concepts
    return known.get(word) or known.get(stem(word)) or stem(word)


@lru_cache(maxsize=2_000)
def words_of_concept(key: str) -> tuple[str, ...]:
    """Return the listed words of a concept."""
    return tuple(word for word, other in lexicon().concepts.items() if other == key)


_PLAIN = str.maketrans(
    dict.fromkeys("\u2019\u2018\u02bc\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012", "-")
    | dict.fromkeys("\u00ad\u200b\u2060\ufeff")
)
_EMPHASIS = re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\s]*\)")
_REACH = 4
"""Content words that a negation governs, at most, within its clause."""

_ACRONYM = 3
"""Letters that make an acronym worth expanding."""

_NO_NEGATION = re.compile(r"\bnot (?:only|just|merely)\b|\bno (?:more|fewer|less|later|earlier|longer) than\b")
_MARKS = re.compile(r"[*_`]")
_WORD = re.compile(r"\w+(?:['.&]\w+)*")
_QUOTE = re.compile(r'"([^"\n]{3,400})"|(?<!\w)\'([^\'\n]{12,400})\'(?!\w)')
_NAME = re.compile(
    r"(?:[A-Z]\w*(?:[-'.&][^\W_]+)*\.?|[A-Z]\.)(?:\s+(?:(?:of|de|van|von|der|del|la|le|du|al|bin)\s+(?:the\s+)?)?"
    r"(?:[A-Z][^\W_]*(?:[-'&][^\W_]+)*|[A-Z]\.|\d+(?:\.\d+)?(?![\w%])))*"
)


def normalize_text(text: str) -> str:
    """Return `text` with one form for each quote, hyphen and ligature, and without markdown's emphasis and links."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    return _EMPHASIS.sub("", text) if _MARKS.search(text) else text


def words(text: str) -> list[str]:
    """Return the words of `text` in lower case, possessives stripped, compounds with a hyphen in two."""
    found = _WORD.findall(text.lower().replace("-", " "))
    return [word.removesuffix("'s") for word in found] if "'" in text else found


def content_words(text: str) -> dict[str, str]:
    """Return the concepts of the content words of `text`, each with one word that stands for it, in order."""
    empty = lexicon().stop
    return {
        concept(word): word
        for word in words(text)
        if word not in empty and len(word) > 1 and (not word[0].isdigit() or word.count(".") > 1)
    }


def quotations(text: str) -> list[str]:
    """Return the quoted spans of at least two words, without their quotes."""
    found = [quote or other for quote, other in _QUOTE.findall(text)]
    return [quote for quote in found if len(quote.split()) > 1]


def is_quoted_in(quote: str, source: str) -> bool:
    """Return whether every part of `quote` stands in `source` in order; case, punctuation and gaps `...` aside."""
    haystack, at = " ".join(words(source)), 0
    for part in re.split(r"\s*(?:\.\.\.|…|\[[^\]]*\])\s*", quote):
        needle = " ".join(words(part))
        at = haystack.find(needle, at)
        if at < 0:
            return False
        at += len(needle)
    return True


def names(text: str) -> list[str]:
    """Return the capitalised names of `text`; a capital that only opens the sentence makes no name."""
    found = []
    for match in _NAME.finditer(text):
        name = match[0]
        first, _, rest = name.partition(" ")
        if (
            _opens(text, match.start())
            and not first.isupper()
            and (first.lower() in lexicon().stop or concept(first.lower()) in lexicon().opposites or not rest)
        ):
            name = rest.strip()
        name = name.rstrip(".").removesuffix("'s")
        if len(name) > 1 and name[0].isupper() and name.lower() not in lexicon().stop:
            found.append(name)
    return found


def _opens(text: str, at: int) -> bool:
    before = text[:at].rstrip("\"'(* \t\r")
    return not before.strip() or before[-1] in ".!?:\n|"


def is_named_in(name: str, source: str, source_words: frozenset[str]) -> bool:
    """Return whether `source` speaks of `name`: all its words, its surname alone, or its initials."""
    parts = [part for part in words(name) if part not in lexicon().stop]
    if not parts or all(part in source_words for part in parts):
        return True
    if len(parts) > 1 and parts[-1] in source_words and not parts[-1][0].isdigit():
        return parts[0] not in source_words and not re.search(
            rf"[A-Z][\w.]+ {re.escape(parts[-1])}\b", source, re.IGNORECASE
        )
    initials = "".join(part[0] for part in parts)
    if len(initials) >= _ACRONYM and initials in source_words:
        return True
    return (
        name.isupper()
        and len(name) >= _ACRONYM
        and bool(re.search(r"\b" + r"\w*[\s-](?:(?:of|the|and|for)\s)*".join(name) + r"\w*", source, re.IGNORECASE))
    )


def negated_concepts(text: str) -> tuple[set[str], set[str]]:
    """Return concepts in reach of a negation, and concepts out of its reach."""
    inside: set[str] = set()
    outside: set[str] = set()
    listed = lexicon()
    for clause in re.split(r"[.!?,;:()\n]|\b(?:but|while|whereas|although|though)\b", text):
        tokens = words(re.sub(r"n't\b", " not", _NO_NEGATION.sub("", clause)))
        reach = 0
        for token in tokens:
            if token in listed.negations:
                reach = _REACH
                continue
            if token not in listed.stop and not token[0].isdigit():
                (inside if reach > 0 else outside).add(concept(token))
                reach -= 1
    return inside, outside


def is_hedged(text: str) -> bool:
    """Return whether `text` takes back its certainty."""
    return lexicon().hedges.search(text) is not None
