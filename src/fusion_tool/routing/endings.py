"""Words without their regular endings, so that a list need not name every form."""

import re
from functools import cache, lru_cache
from typing import Any

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
    """`word`, in lower case, without its endings.

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
