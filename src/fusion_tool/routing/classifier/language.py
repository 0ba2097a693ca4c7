"""The language of a question, by its script and its commonest words."""

import re
from collections import Counter
from functools import cache

from fusion_tool.routing.classifier.phrases import word_lists

# Kana before Chinese characters, which Japanese has, too; Ukrainian and Persian before their scripts' larger languages.
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]"),
    "uk": re.compile(r"[іїєґ]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "fa": re.compile(r"[پچژگ]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
"""Letters that only this language, or it before those below, is written with: the order decides."""
_LETTER = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[a-zà-öø-ɏ]")
_WORD = re.compile(r"(?![a-z](?![^\W\d_]))[^\W\d_]+")
"""A word; not a Latin letter alone, which in a formula is a variable: `y` would make it Spanish."""
_MOSTLY = 0.5
"""The share of Latin letters from which the text counts as Latin; a foreign name does not make a language."""
_FEW = 0.2
"""The share of a language's commonest words that is enough where there is only one."""


def language_of(text: str) -> str | None:
    """Return the ISO 639-1 code of the language that `text` is written in, `None` where it cannot be told.

    A heuristic: variants of one script are told apart by letters that only one of them has.
    """
    lower = text.casefold()
    letters = len(_LETTER.findall(lower))
    if not letters:
        return None
    if len(_LATIN.findall(lower)) < _MOSTLY * letters:
        return next((code for code, script in _SCRIPTS.items() if script.search(lower)), None)
    return _by_common_words(_WORD.findall(lower))


def _by_common_words(tokens: list[str]) -> str | None:
    # On a tie no language: related ones share their commonest words, and a wrong word list is worse than none.
    counts = Counter(code for token in tokens for code in _codes().get(token, ()))
    (best, most), (_, second) = [*counts.most_common(2), (None, 0), (None, 0)][:2]
    return best if most > second and (most > 1 or most >= _FEW * len(tokens)) else None


@cache
def _codes() -> dict[str, tuple[str, ...]]:
    """Return, by word, the languages in which it is common."""
    table: dict[str, tuple[str, ...]] = {}
    for code, common in word_lists()["languages"]["stop"].items():
        for word in common.split():
            table[word] = (*table.get(word, ()), code)
    return table
