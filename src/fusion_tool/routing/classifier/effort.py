"""How much work a question looks like, and whether several views of it are worth their price."""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from fusion_tool.routing.classifier.phrases import Forms, Phrases, Text, data, forms, phrases, seen
from fusion_tool.routing.classifier.signals import Difficulty

_QUESTION_MARK = re.compile(r"[?\uff1f\u061f]")  # also Chinese and Arabic ones


class Effort(NamedTuple):
    """`difficulty`, whether it is `deep` (contested or broad), and what says so."""

    difficulty: Difficulty
    deep: bool
    evidence: list[str]


def effort(question: str, text: Text, language: str, technical: Sequence[str] = ()) -> Effort:
    """The effort that `question` asks for: every point has a name.

    Args:
        question: As it was asked.
        text: Its words, whose lists are English.
        language: ISO 639-1.
        technical: The words and forms of a field of knowledge in it.
    """
    limits = data()["difficulty"]
    english = language == "en"
    points = [*(_of_words(text) if english else ()), *_of_build(question), *_of_bulk(text, technical)]
    demanding = english and _lists()["demanding"].found(text)
    plain = not demanding and len(technical) < limits["known_technical"]
    if plain and len(text.words) <= limits["short_words"] and not any(weight > 0 for weight, _ in points):
        points.append((-1, "easy: short"))
    total = sum(weight for weight, _ in points)
    difficulty: Difficulty = (
        "hard" if total >= limits["hard_from"] else "easy" if total <= limits["easy_to"] else "medium"
    )
    deep = [f"deep: {phrase}" for known in _deep() for phrase in sorted(known.found(text))] if english else []
    return Effort(difficulty, bool(deep), [*(name for _, name in points), *deep])


def _of_words(text: Text) -> Iterable[tuple[int, str]]:
    """What words are worth, each with its name."""
    found = {kind: sorted(known.found(text)) for kind, known in _lists().items()}
    for kind, weight, name in _WEIGHTS:
        yield from ((weight, f"{name}: {phrase}") for phrase in found[kind])
    constraints = found["constraints"]
    if met := _steps("many_constraints", len(constraints)):
        yield met, f"hard: {', '.join(constraints)}"


def _of_build(question: str) -> Iterable[tuple[int, str]]:
    """What its build is worth, each with its name."""
    yield from ((1, f"hard: {name}") for name in seen(_forms("patterns"), question))
    asked = max(sum(1 for _ in _demand().finditer(question)), len(_QUESTION_MARK.findall(question)))
    if met := _steps("many_demands", asked):
        yield met, f"hard: {asked} demands"


def _of_bulk(text: Text, technical: Sequence[str]) -> Iterable[tuple[int, str]]:
    """What length and technical words are worth."""
    limits = data()["difficulty"]
    length, dense = _steps("long_words", len(text.words)), len(technical) >= limits["technical_words"]
    if dense:
        yield 1, "hard: technical"
    if met := min(length, limits["most_of_bulk"] - dense):
        yield met, "hard: long"


def _steps(name: str, count: int) -> int:
    """A point from each of the listed counts on."""
    return sum(count >= step for step in data()["difficulty"][name])


_WEIGHTS = (("hard", 2, "hard"), ("harder", 1, "hard"), ("easy", -1, "easy"))
"""A list of words, the points of each, and what it speaks for."""


@cache
def _lists() -> dict[str, Phrases]:
    return {kind: phrases(row, "en") for kind, row in data()["difficulty"]["words"].items()}


@cache
def _forms(section: str) -> Forms:
    return forms(data()["difficulty"][section])


@cache
def _demand() -> re.Pattern[str]:
    return re.compile(data()["difficulty"]["demand"])


@cache
def _deep() -> tuple[Phrases, ...]:
    return tuple(phrases(row, "en") for row in data()["deep"].values())
