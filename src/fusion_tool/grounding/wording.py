"""What a text says beside its figures: content words, names, quotations, negations, hedges."""

import re
import unicodedata

from fusion_tool.grounding.lexicon import concept, lexicon

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


def plain(text: str) -> str:
    """`text` with one form for each quote, hyphen and ligature, and without markdown's emphasis and links."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text).translate(_PLAIN)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    return _EMPHASIS.sub("", text) if _MARKS.search(text) else text


def words(text: str) -> list[str]:
    """The words of `text` in lower case, possessives stripped, compounds with a hyphen in two."""
    found = _WORD.findall(text.lower().replace("-", " "))
    return [word.removesuffix("'s") for word in found] if "'" in text else found


def contents(text: str) -> dict[str, str]:
    """The concepts of the content words of `text`, each with one word that stands for it, in order."""
    empty = lexicon().stop
    return {
        concept(word): word
        for word in words(text)
        if word not in empty and len(word) > 1 and (not word[0].isdigit() or word.count(".") > 1)
    }


def quotations(text: str) -> list[str]:
    """The quoted spans of at least two words, without their quotes."""
    found = [one or other for one, other in _QUOTE.findall(text)]
    return [quote for quote in found if len(quote.split()) > 1]


def quoted_in(quote: str, source: str) -> bool:
    """Whether every part of `quote` stands in `source` in order; case, punctuation and gaps `...` aside."""
    haystack, at = " ".join(words(source)), 0
    for part in re.split(r"\s*(?:\.\.\.|…|\[[^\]]*\])\s*", quote):
        needle = " ".join(words(part))
        at = haystack.find(needle, at)
        if at < 0:
            return False
        at += len(needle)
    return True


def names(text: str) -> list[str]:
    """The capitalised names of `text`; a capital that only opens the sentence makes no name."""
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


def named_in(name: str, source: str, source_words: frozenset[str]) -> bool:
    """Whether `source` speaks of `name`: all its words, its surname alone, or its initials."""
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


def negated(text: str) -> tuple[set[str], set[str]]:
    """Concepts in reach of a negation, and concepts out of its reach."""
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


def hedged(text: str) -> bool:
    """Whether `text` takes back its certainty."""
    return lexicon().hedges.search(text) is not None
