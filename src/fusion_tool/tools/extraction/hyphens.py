"""Words that a line's end divides, put together again; a compound keeps its own hyphen.

PDFium writes U+0002 (in older versions U+FFFE) for a hyphen at a line's end, and leaves the end out; many files have a
soft hyphen or a plain one there. None says whether the word has a hyphen elsewhere, so that the text itself is asked.
"""

import re

# Bounded, since a search over a hostile file must not take quadratic time.
_WORD = r"[^\W_]{1,40}(?:[-\u2010][^\W_]{1,40}){0,6}"
_DIVIDED = re.compile(
    rf"({_WORD})(?:([\u0002\ufffe])[ \t]{{0,9}}\n?[ \t]{{0,9}}|([\u00ad\u2010-])[ \t]{{0,9}}\n[ \t]{{0,9}})({_WORD})"
)
_LEFT_OVER = re.compile(r"[\u0002\ufffe\u00ad]")
_SOFT = "\u00ad"
_HYPHENS = ("\u0002", "\ufffe", _SOFT, "\u2010", "-")

# First parts of compounds that keep their hyphen, in case the text has no such compound within a line.
_COMPOUNDS = frozenset(
    {"all", "cross", "ex", "far", "four", "free", "full", "half", "high", "ill", "large", "long", "low", "mid", "non"}
    | {"one", "open", "real", "self", "short", "single", "small", "so", "state", "three", "two", "vice", "well", "wide"}
    | {"quasi", "follow", "built", "first", "second", "third", "five", "six", "ten", "part", "peer", "user", "year"}
)


def join_divided_words(text: str) -> str:
    """Return `text` with the words that its lines' ends divide put together, each on the line where it begins."""
    if not (_LEFT_OVER.search(text) or _DIVIDED.search(text)):
        return text
    words = frozenset(word.lower().replace("\u2010", "-") for word in re.findall(_WORD, _DIVIDED.sub(" ", text)))

    def join(match: re.Match[str]) -> str:
        first, _, mark, second = match.groups()
        hyphen = "-" if mark != _SOFT and _is_compound(first, second, words) else ""
        # The line ends behind the word, unless the word goes on: in narrow columns it is divided more than once.
        is_whole = text[match.end() : match.end() + 1] not in _HYPHENS
        return f"{first}{hyphen}{second}" + ("\n" if is_whole and "\n" in match[0] else "")

    for _ in range(3):
        joined = _DIVIDED.sub(join, text)
        if joined == text:
            break
        text = joined
    return re.sub(r"\n[ \t]{1,9}|[ \t]{1,9}\n", "\n", _LEFT_OVER.sub("", text))


def _is_compound(first: str, second: str, words: frozenset[str]) -> bool:
    """Return whether the hyphen between `first` and `second` is the word's own."""
    joined, hyphenated = f"{first}{second}".lower(), f"{first}-{second}".lower()
    if hyphenated in words or joined in words:
        return hyphenated in words
    # Names, numbers and longer chains: `Franco-\nGerman`, `COVID-\n19`, `state-\nof-the-art`.
    if not (first[-1].islower() and second[0].islower()) or "-" in first or "-" in second:
        return True
    return first.lower() in _COMPOUNDS
