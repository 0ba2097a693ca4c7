"""`classify`: the signals of a question from word lists; `classify_with`: those of the caller's classifier.

The caller's classifier, perhaps a language model, comes first, and counts only where its signals are valid.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import Any, TypeAlias

from fusion_tool.routing.classifier.domains import DomainScores, score_domains
from fusion_tool.routing.classifier.effort import estimate_effort
from fusion_tool.routing.classifier.language import language_of
from fusion_tool.routing.classifier.phrases import (
    Forms,
    Phrases,
    TokenizedText,
    compile_patterns,
    matching_patterns,
    phrases,
    tokenize,
    word_lists,
)
from fusion_tool.routing.classifier.signals import Domain, Signals

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
"""A block of code. Its words are identifiers, which would count for wrong domains; its presence is enough."""


def classify(question: str, context: str = "") -> Signals:
    """Return the signals of a question: deterministic, explained by `evidence`, a millisecond or two.

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
    text = tokenize(asked, known)
    found = score_domains(asked, context[:_CONTEXT], known)
    domain, confidence = _leading_domain(found.points, _trust(language, asked))
    work = estimate_effort(asked, text, known, _technical(found, domain))
    closed, shape = _closed_evidence(asked, known, domain)
    fresh = _fresh_evidence(asked, text, known, domain if confidence >= word_lists()["scale"]["fresh"] else None)
    return Signals(
        domain=domain,
        closed=closed,
        difficulty=work.difficulty,
        deep=work.deep,
        needs_fresh=bool(fresh),
        language=language,
        length=len(question),
        confidence=confidence,
        evidence=(*_evidence_names(found), *shape, *work.evidence, *fresh),
    )


def _leading_domain(scores: Mapping[Domain, float], trust: float) -> tuple[Domain, float]:
    """The domain with the most points, and how clear its lead is: the margin over all points that it needed."""
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if not ranked:
        return "general", 0.0
    (domain, most), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0.0
    return domain, round(trust * (most - second) / (most + word_lists()["scale"]["closeness"]), 3)


def _trust(language: str | None, asked: str) -> float:
    """How far the word lists can be believed in this language."""
    if language == "en" or not any(letter.isalpha() for letter in asked):
        return 1.0
    return float(word_lists()["scale"]["foreign" if language in word_lists() else "unknown"])


def _technical(scores: DomainScores, domain: Domain) -> list[str]:
    """What makes the question one of specialists."""
    return scores.evidence[domain] if domain in _FIELDS else []


def _closed_evidence(asked: str, language: str, domain: Domain) -> tuple[bool, list[str]]:
    """Whether there is one right answer, and what says so.

    A demand for reasons, a text or a piece of work is open whatever else is asked; a calculation or a puzzle has one
    answer unless such a demand stands in it.
    """
    closed, opened = (
        matching_patterns(_forms("closed", language), asked),
        matching_patterns(_forms("open", language), asked),
    )
    if domain in _SOLVED and not opened:
        closed.append(domain)
    reasons = matching_patterns(_forms("reasons", language), asked)
    is_closed = len(closed) > len(opened) and not reasons
    return is_closed, [*(f"closed: {name}" for name in closed), *(f"open: {name}" for name in (*opened, *reasons))]


def _fresh_evidence(asked: str, text: TokenizedText, language: str, domain: Domain | None) -> list[str]:
    """What says that the answer changes."""
    found = [*sorted(_fresh_words(language).find(text)), *matching_patterns(_forms("fresh_forms", language), asked)]
    if domain == "current_events":
        found.append("current events")
    return [f"fresh: {name}" for name in found]


def _evidence_names(scores: DomainScores) -> list[str]:
    ranked = sorted(scores.points, key=lambda domain: -scores.points[domain])
    return [f"{domain}: {name}" for domain in ranked for name in scores.evidence[domain]]


@cache
def _forms(section: str, language: str) -> Forms:
    table = word_lists()[section]
    return compile_patterns(table.get("any", {}) | table.get(language, {}))


@cache
def _fresh_words(language: str) -> Phrases:
    return phrases(word_lists()["fresh"].get(language, ""), language)


Classifier: TypeAlias = Callable[[str], Awaitable[Signals | Mapping[str, Any]]]
"""From a question to its signals, or to a part of them; the domain must be among them."""

_log = logging.getLogger(__name__)


async def classify_with(classifier: Classifier | None, question: str, context: str = "") -> Signals:
    """Return the signals of a question by `classifier`; by the word lists where there is none, or it fails.

    What it leaves out is taken from the word lists, but for the confidence, which is then 1: it has named a domain.

    Args:
        classifier: The caller's own; `None` leaves all to the word lists.
        question: What is asked.
        context: What is already known; the word lists read it.
    """
    own = classify(question, context)
    if classifier is None:
        return own
    try:
        said = await classifier(question)
        return said if isinstance(said, Signals) else _complete_signals(said, own)
    except Exception as error:  # noqa: BLE001 - anybody's code, and the run goes on without it
        _log.warning("the classifier gave no valid signals (%s); the word lists decide", type(error).__name__)
        return own


def _complete_signals(partial: Mapping[str, Any], own: Signals) -> Signals:
    if "domain" not in partial:
        raise ValueError("no domain")
    default = own.model_dump() | {"confidence": 1.0, "evidence": (f"{partial['domain']}: the given classifier",)}
    return Signals.model_validate(default | dict(partial))
