"""How much work a question looks like, and whether several views of it are worth their price."""

import re
from functools import cache
from typing import NamedTuple

from fusion_tool.routing.phrases import Phrases, Text
from fusion_tool.routing.signals import Difficulty
from fusion_tool.routing.words import Forms, data, forms, phrases, seen

_QUESTION_MARK = re.compile(r"[?\uff1f\u061f]")  # also Chinese and Arabic ones


class Effort(NamedTuple):
    """`difficulty`, whether it is `deep` (contested or broad), and what says so."""

    difficulty: Difficulty
    deep: bool
    evidence: list[str]


def effort(question: str, text: Text, language: str) -> Effort:
    """The effort that `question` asks for; `text` is its words, whose lists are English."""
    limits = data()["difficulty"]
    english = language == "en"
    evidence = [*(_words_of_effort(text) if english else ()), *_shape(question, text)]
    if len(text.words) <= limits["short_words"] and not any(points > 0 for points, _ in evidence):
        evidence.append((-1, "easy: short"))
    total = sum(points for points, _ in evidence)
    difficulty: Difficulty = (
        "hard" if total >= limits["hard_from"] else "easy" if total <= limits["easy_to"] else "medium"
    )
    deep = [f"deep: {phrase}" for known in _deep() for phrase in sorted(known.found(text))] if english else []
    return Effort(difficulty, bool(deep), [*(name for _, name in evidence), *deep])


def _words_of_effort(text: Text) -> list[tuple[int, str]]:
    """Points of the words, each with its name."""
    lists = _lists()
    found = {kind: sorted(known.found(text)) for kind, known in lists.items()}
    points = [(weight, f"{name}: {phrase}") for kind, weight, name in _WEIGHTS for phrase in found[kind]]
    constraints = found["constraints"]
    if len(constraints) >= data()["difficulty"]["many_constraints"]:
        points.append((1, f"hard: {', '.join(constraints)}"))
    return points


def _shape(question: str, text: Text) -> list[tuple[int, str]]:
    """Points of length and build, each with its name."""
    limits = data()["difficulty"]
    points = [(1, f"hard: {name}") for name in seen(_forms(), question)]
    if len(text.words) > limits["long_words"]:
        points.append((2 if len(text.words) > limits["very_long_words"] else 1, "hard: long"))
    if len(_QUESTION_MARK.findall(question)) >= limits["many_questions"]:
        points.append((1, "hard: several questions"))
    return points


_WEIGHTS = (("hard", 2, "hard"), ("harder", 1, "hard"), ("easy", -1, "easy"))
"""A list of words, the points of each, and what it speaks for."""


@cache
def _lists() -> dict[str, Phrases]:
    return {kind: phrases(row, "en") for kind, row in data()["difficulty"]["words"].items()}


@cache
def _forms() -> Forms:
    return forms(data()["difficulty"]["patterns"])


@cache
def _deep() -> tuple[Phrases, ...]:
    return tuple(phrases(row, "en") for row in data()["deep"].values())
