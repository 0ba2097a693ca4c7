"""What a text says beside its figures: content words, names, quotations, negations, hedges.

Words are compared by concept: the row of synonyms in `lexicon.toml` that lists them, else their stem. The lists and the
stemmer are English; words of other languages are compared as they stand.
"""

import re
import tomllib
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from fusion_tool.grounding.framing import is_title


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Word lists by which the audit compares texts.

    Args:
        stop: Words that carry no claim.
        abbreviations: Words whose full stop ends no sentence, lower case, without it.
        hedges: Words that weaken a claim's certainty: "may", "reportedly".
        negations: Words that negate what follows them.
        directed: Concepts of actions that change their meaning when doer and object are exchanged.
        concepts: Surface form to concept, for words with listed synonyms.
        opposites: Concept to the concepts that exclude it.
    """

    stop: frozenset[str]
    abbreviations: frozenset[str]
    hedges: re.Pattern[str]
    negations: frozenset[str]
    directed: frozenset[str]
    concepts: dict[str, str]
    opposites: dict[str, frozenset[str]]


@cache
def lexicon() -> Lexicon:
    """Return the packaged lexicon."""
    data = tomllib.loads(resources.files(__package__).joinpath("lexicon.toml").read_text("utf-8"))
    concepts: dict[str, str] = {}
    for row in data["same"]:
        synonyms = row.split()
        for word in synonyms:
            # A row's concept is its first word; a row that begins with a word of an earlier row adds to that one.
            concepts.setdefault(word, concepts.get(synonyms[0], synonyms[0]))
    opposites: dict[str, set[str]] = {}
    for pair in data["opposite"]:
        # Not `concept`, which asks for the lexicon that is being built here.
        left, right = (concepts.get(word) or stem(word) for word in pair)
        opposites.setdefault(left, set()).add(right)
        opposites.setdefault(right, set()).add(left)
    return Lexicon(
        stop=frozenset(data["stop"].split()),
        abbreviations=frozenset(data["abbreviations"].split()),
        hedges=re.compile(rf"\b(?:{'|'.join(data['hedges'])})\b"),
        negations=frozenset(data["negations"].split()),
        directed=frozenset(concepts.get(word) or stem(word) for word in data["directed"].split()),
        concepts=concepts,
        opposites={side: frozenset(others) for side, others in opposites.items()},
    )


@cache
def _stemmer() -> Any:
    import Stemmer  # a compiled module: loaded when the first text is audited, not with the package

    return Stemmer.Stemmer("english")


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Return the stem of a lower-case English word (Snowball's English algorithm); other scripts stay as they are."""
    return str(_stemmer().stemWord(word)) if word.isascii() else word


@lru_cache(maxsize=20_000)
def concept(word: str) -> str:
    """Return what `word` (lower case) is compared by: the first word of its row of synonyms, else its stem."""
    rows = lexicon().concepts
    return rows.get(word) or rows.get(stem(word)) or stem(word)


@cache
def _words_by_concept() -> dict[str, tuple[str, ...]]:
    rows: dict[str, list[str]] = {}
    for word, key in lexicon().concepts.items():
        rows.setdefault(key, []).append(word)
    return {key: tuple(synonyms) for key, synonyms in rows.items()}


def words_of_concept(key: str) -> tuple[str, ...]:
    """Return the words that `lexicon.toml` lists for a concept; none for a stem."""
    return _words_by_concept().get(key, ())


# Two writers seldom use the same quotes and hyphens; soft hyphens and zero-width characters part words unseen.
_PLAIN = str.maketrans(
    dict.fromkeys("\u2019\u2018\u02bc\u00b4", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"')
    | dict.fromkeys("\u2010\u2011\u2012", "-")
    | dict.fromkeys("\u00ad\u200b\u2060\ufeff")
)
_EMPHASIS = re.compile(r"(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)|`")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\s]*\)")
_NEGATION_REACH = 4
"""Content words that a negation governs, at most, within its clause."""

_ACRONYM = 3
"""The fewest letters of an acronym; two letters are the initials of too many names."""

# These negate nothing that follows: "not only fast" says that it is fast.
_NO_NEGATION = re.compile(r"\bnot (?:only|just|merely)\b|\bno (?:more|fewer|less|later|earlier|longer) than\b")
_CONTRAST = re.compile(r"\s*(?:not|if|unless)\s", re.IGNORECASE)
_DOUBLE = re.compile(r"\b(?:not|cannot|never|no)\b[^.,;:]*\b(?:without|unless|except)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:without|unless|except|only|if|when|where|provided|as long as|until|with|needs?|requires?)\b", re.IGNORECASE
)
_MUST = re.compile(r"\b(?:must|shall|ha(?:s|ve) to|required|requires?|mandatory|obligatory)\b", re.IGNORECASE)
_SHOULD = re.compile(r"\b(?:should|may|can|recommended|optional|optionally)\b", re.IGNORECASE)
_ENGLISH = frozenset({"the", "of", "and", "was", "were", "by", "for", "with", "from", "that", "to", "is", "are"})
_FEW_WORDS = 8
"""Words below which a text without an article or preposition may be English all the same."""

_MARKS = re.compile(r"[*_`]")
_WORD = re.compile(r"\w+(?:['.&]\w+)*")
# Single quotes only around longer spans and outside words, since most of them are apostrophes.
_QUOTE = re.compile(r'"([^"\n]{3,400})"|(?<!\w)\'([^\'\n]{12,400})\'(?!\w)')
_NAME = re.compile(
    r"(?<![\w])(?:[A-Z]\w*(?:[-'.&][^\W_]+)*\.?|[A-Z]\.)(?:\s+(?:(?:of|de|van|von|der|del|la|le|du|al|bin)\s+(?:the\s+)?)?"
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
    parts = _WORD.findall(text.lower().replace("-", " "))
    return [word.removesuffix("'s") for word in parts] if "'" in text else parts


# The clauses of a passage are asked for again and again; nobody changes what comes back.
@lru_cache(maxsize=4_000)
def content_words(text: str) -> dict[str, str]:
    """Return the concepts of the content words of `text`, each with the last word that stands for it, in order."""
    stop = lexicon().stop
    # Numbers are compared as quantities; one with two points is none: a version, "3.11.2".
    return {
        concept(word): word
        for word in words(text)
        if word not in stop and len(word) > 1 and (not word[0].isdigit() or word.count(".") > 1)
    }


def quotations(text: str) -> list[str]:
    """Return the quoted spans of at least two words that are no title, without their quotes."""
    quotes = [(match[1] or match[2], text[: match.start()]) for match in _QUOTE.finditer(text)]
    # A single word in quotes is mostly a term or irony, not a quotation.
    return [quote for quote, before in quotes if len(quote.split()) > 1 and not is_title(quote, before)]


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


def is_english(text: str) -> bool:
    """Return whether `text` may be English: it is short, or holds one of the words that no sentence does without."""
    found = words(text)
    return len(found) < _FEW_WORDS or not _ENGLISH.isdisjoint(found)


def names(text: str) -> list[str]:
    """Return the capitalised names of `text`; a capital that only opens the sentence makes no name."""
    result = []
    for match in _NAME.finditer(text):
        name = match[0]
        first, _, rest = name.partition(" ")
        # "Sales at Siemens" begins with no name, "IBM" does. The first word of a longer one, "Volkswagen Group", stays
        # unless the lexicon knows it as an ordinary word.
        if (
            _opens(text, match.start())
            and not first.isupper()
            and (first.lower() in lexicon().stop or concept(first.lower()) in lexicon().opposites or not rest)
        ):
            name = rest.strip()
        name = name.rstrip(".").removesuffix("'s")
        if len(name) > 1 and name[0].isupper() and name.lower() not in lexicon().stop:
            result.append(name)
    return result


def _opens(text: str, at: int) -> bool:
    before = text[:at].rstrip("\"'(* \t\r")
    return not before.strip() or before[-1] in ".!?:\n|"


def is_named_in(name: str, source: str, source_words: frozenset[str]) -> bool:
    """Return whether `source` speaks of `name`: all its words, its surname alone, or its initials."""
    parts = [part for part in words(name) if part not in lexicon().stop]
    if not parts or all(part in source_words for part in parts):
        return True
    # The surname alone is the same person only where the source gives it no other first name. With a number at its end
    # the name is a product's: "Model 3" is not named by a 3.
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
    """Return the concepts in reach of a negation and those out of reach; one that stands twice may be in both."""
    inside: set[str] = set()
    outside: set[str] = set()
    lists = lexicon()
    for clause in re.split(r"[.!?,;:()\n]|\b(?:but|while|whereas|although|though)\b", text):
        # "Not without" denies neither, "A, not B" denies nothing of A, and a condition asserts nothing.
        if _CONTRAST.match(clause) or _DOUBLE.search(clause):
            continue
        tokens = words(re.sub(r"n't\b", " not", _NO_NEGATION.sub("", clause)))
        reach = 0
        for token in tokens:
            if token in lists.negations:
                reach = _NEGATION_REACH
                continue
            if token not in lists.stop and not token[0].isdigit():
                (inside if reach > 0 else outside).add(concept(token))
                reach -= 1
    return inside, outside


def is_overstated(claim: str, source: str) -> bool:
    """Return whether `claim` is surer than `source`: a hedge, a condition or a "should" of the source is left out."""
    if is_hedged(source) and not is_hedged(claim):
        return True
    if _DOUBLE.search(source) and not _CONDITION.search(claim):
        return True
    return bool(_MUST.search(claim) and _SHOULD.search(source) and not _MUST.search(source))


def is_hedged(text: str) -> bool:
    """Return whether `text` holds a word that weakens its certainty."""
    return lexicon().hedges.search(text) is not None
