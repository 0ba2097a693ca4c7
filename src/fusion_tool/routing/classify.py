"""`classify`: what can be told of a question by its words and forms, without asking anybody."""

import re
from collections.abc import Mapping
from functools import cache

from fusion_tool.routing.domains import Points, points
from fusion_tool.routing.effort import effort
from fusion_tool.routing.language import language_of
from fusion_tool.routing.phrases import Phrases, Text, read
from fusion_tool.routing.signals import Domain, Signals
from fusion_tool.routing.words import Forms, data, forms, phrases, seen

_BEGINNING, _END = 1000, 500
"""Characters of a long question that are read: the task stands first or last."""
_CONTEXT = 500
"""Characters of the context that are read."""
_FIELDS = frozenset({"coding", "science", "mathematics", "reasoning"})
"""Domains in which a question can be hard by its matter."""
_SOLVED = frozenset({"mathematics", "reasoning"})
"""Domains whose questions have a solution."""
_SPACE = " \t\r\n¿¡"
_CODE = re.compile(r"```.*?```", re.DOTALL)
"""Its words are names; that it is there says enough."""


def classify(question: str, context: str = "") -> Signals:
    """The signals of a question: deterministic, explained by `evidence`, a millisecond or two.

    Where the words say nothing, or speak for several domains, `confidence` is low: then do not trust `domain`.

    Args:
        question: What is asked; of a very long one the beginning and the end are read.
        context: What is already known; it weighs less.
    """
    asked = question.strip(_SPACE)
    if len(asked) > _BEGINNING + _END:
        asked = f"{asked[:_BEGINNING]}\n{asked[-_END:]}"
    asked = _CODE.sub("``` ```", asked)
    language = language_of(asked)
    known = language or "en"
    text = read(asked, known)
    found = points(asked, context[:_CONTEXT], known)
    domain, confidence = _decided(found.points, _trust(language, asked))
    work = effort(asked, text, known, _technical(found, domain))
    closed, shape = _closed(asked, known, domain)
    fresh = _fresh(asked, text, known, domain if confidence >= data()["scale"]["fresh"] else None)
    return Signals(
        domain=domain,
        closed=closed,
        difficulty=work.difficulty,
        deep=work.deep,
        needs_fresh=bool(fresh),
        language=language,
        length=len(question),
        confidence=confidence,
        evidence=(*_named(found), *shape, *work.evidence, *fresh),
    )


def _decided(points: Mapping[Domain, float], trust: float) -> tuple[Domain, float]:
    """The domain with the most points, and how clear its lead is: the margin over all points that it needed."""
    ranked = sorted(points.items(), key=lambda item: -item[1])
    if not ranked:
        return "general", 0.0
    (domain, most), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0.0
    return domain, round(trust * (most - second) / (most + data()["scale"]["closeness"]), 3)


def _trust(language: str | None, asked: str) -> float:
    """How far the word lists can be believed in this language."""
    if language == "en" or not any(letter.isalpha() for letter in asked):
        return 1.0
    return float(data()["scale"]["foreign" if language in data() else "unknown"])


def _technical(found: Points, domain: Domain) -> list[str]:
    """What makes the question one of specialists."""
    return found.evidence[domain] if domain in _FIELDS else []


def _closed(asked: str, language: str, domain: Domain) -> tuple[bool, list[str]]:
    """Whether there is one right answer, and what says so.

    A demand for reasons, a text or a piece of work is open whatever else is asked; a calculation or a puzzle has one
    answer unless such a demand stands in it.
    """
    closed, opened = seen(_forms("closed", language), asked), seen(_forms("open", language), asked)
    if domain in _SOLVED and not opened:
        closed.append(domain)
    reasons = seen(_forms("reasons", language), asked)
    one = len(closed) > len(opened) and not reasons
    return one, [*(f"closed: {name}" for name in closed), *(f"open: {name}" for name in (*opened, *reasons))]


def _fresh(asked: str, text: Text, language: str, domain: Domain | None) -> list[str]:
    """What says that the answer changes."""
    found = [*sorted(_fresh_words(language).found(text)), *seen(_forms("fresh_forms", language), asked)]
    if domain == "current_events":
        found.append("current events")
    return [f"fresh: {name}" for name in found]


def _named(found: Points) -> list[str]:
    ranked = sorted(found.points, key=lambda domain: -found.points[domain])
    return [f"{domain}: {name}" for domain in ranked for name in found.evidence[domain]]


@cache
def _forms(section: str, language: str) -> Forms:
    table = data()[section]
    return forms(table.get("any", {}) | table.get(language, {}))


@cache
def _fresh_words(language: str) -> Phrases:
    return phrases(data()["fresh"].get(language, ""), language)
