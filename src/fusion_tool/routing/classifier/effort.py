"""The effort that a question asks for, and whether several views of it are worth their price."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from fusion_tool.routing.classifier.phrases import (
    Forms,
    Phrases,
    TokenizedText,
    compile_patterns,
    matching_patterns,
    phrases,
    word_lists,
)
from fusion_tool.routing.classifier.signals import Difficulty

_QUESTION_MARK = re.compile(r"[?\uff1f\u061f]")  # also Chinese and Arabic ones


class Effort(NamedTuple):
    """`difficulty`, whether it is `deep` (contested or broad), and what says so."""

    difficulty: Difficulty
    deep: bool
    evidence: list[str]


def estimate_effort(question: str, text: TokenizedText, language: str, technical: Sequence[str] = ()) -> Effort:
    """Estimate the effort that `question` asks for; every point has a name in the evidence.

    Args:
        question: The question's text.
        text: Its words; the lists that they are looked up in are English.
        language: Its language, ISO 639-1.
        technical: The words and patterns of a field of knowledge in it.
    """
    limits = word_lists()["difficulty"]
    is_english = language == "en"  # the lists of words are English; patterns and lengths serve any language
    scores = [*(_word_steps(text) if is_english else ()), *_build_steps(question), *_bulk_steps(text, technical)]
    is_demanding = is_english and _lists()["demanding"].find(text)
    is_plain = not is_demanding and len(technical) < limits["known_technical"]
    # Short is easy only where nothing speaks against it: "Prove Fermat's last theorem" is short, too.
    if is_plain and len(text.words) <= limits["short_words"] and not any(weight > 0 for weight, _ in scores):
        scores.append((-1, "easy: short"))
    total = sum(weight for weight, _ in scores)
    difficulty: Difficulty = (
        "hard" if total >= limits["hard_from"] else "easy" if total <= limits["easy_to"] else "medium"
    )
    deep = [f"deep: {phrase}" for words in _deep() for phrase in sorted(words.find(text))] if is_english else []
    return Effort(difficulty, bool(deep), [*(name for _, name in scores), *deep])


def _word_steps(text: TokenizedText) -> Iterable[tuple[int, str]]:
    """Yield the points of words, each with its name."""
    hits = {kind: sorted(words.find(text)) for kind, words in _lists().items()}
    for kind, weight, name in _WEIGHTS:
        yield from ((weight, f"{name}: {phrase}") for phrase in hits[kind])
    constraints = hits["constraints"]
    # By their number: one "at least" is in every other question, three make a task.
    if points := _steps("many_constraints", len(constraints)):
        yield points, f"hard: {', '.join(constraints)}"


def _build_steps(question: str) -> Iterable[tuple[int, str]]:
    """Yield the points of a question's build, each with its name."""
    yield from ((1, f"hard: {name}") for name in matching_patterns(_forms("patterns"), question))
    # The greater of two counts, not their sum: "Explain why?" is one demand with a mark.
    demands = max(sum(1 for _ in _demand().finditer(question)), len(_QUESTION_MARK.findall(question)))
    if points := _steps("many_demands", demands):
        yield points, f"hard: {demands} demands"


def _bulk_steps(text: TokenizedText, technical: Sequence[str]) -> Iterable[tuple[int, str]]:
    """Yield the points of length and technical words, each with its name."""
    limits = word_lists()["difficulty"]
    length, is_dense = _steps("long_words", len(text.words)), len(technical) >= limits["technical_words"]
    if is_dense:
        yield 1, "hard: technical"
    # Capped together: a long question about code may be quite easy.
    if points := min(length, limits["most_of_bulk"] - is_dense):
        yield points, "hard: long"


def _steps(name: str, count: int) -> int:
    """Return a point for each of the listed counts that `count` reaches."""
    return sum(count >= step for step in word_lists()["difficulty"][name])


_WEIGHTS = (("hard", 2, "hard"), ("harder", 1, "hard"), ("easy", -1, "easy"))
"""A list of words, the points of each, and what it speaks for."""


@cache
def _lists() -> dict[str, Phrases]:
    return {kind: phrases(row, "en") for kind, row in word_lists()["difficulty"]["words"].items()}


@cache
def _forms(section: str) -> Forms:
    return compile_patterns(word_lists()["difficulty"][section])


@cache
def _demand() -> re.Pattern[str]:
    return re.compile(word_lists()["difficulty"]["demand"])


@cache
def _deep() -> tuple[Phrases, ...]:
    return tuple(phrases(row, "en") for row in word_lists()["deep"].values())
