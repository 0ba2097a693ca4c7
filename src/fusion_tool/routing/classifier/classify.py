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
        question: The question; of a very long one the beginning and the end are read.
        context: What is already known; it weighs less.
    """
    excerpt = question.strip(_SPACE)
    # Cut, so that a pasted book costs no more time than a page does.
    if len(excerpt) > _BEGINNING + _END:
        excerpt = f"{excerpt[:_BEGINNING]}\n{excerpt[-_END:]}"
    excerpt = _CODE.sub("``` ```", excerpt)
    language = language_of(excerpt)
    # For an unknown language the English lists are tried: many technical words are the same everywhere.
    list_language = language or "en"
    text = tokenize(excerpt, list_language)
    scores = score_domains(excerpt, context[:_CONTEXT], list_language)
    domain, confidence = _leading_domain(scores.points, _trust(language, excerpt))
    effort = estimate_effort(excerpt, text, list_language, _technical(scores, domain))
    closed, shape = _closed_evidence(excerpt, list_language, domain)
    fresh = _fresh_evidence(
        excerpt, text, list_language, domain if confidence >= word_lists()["scale"]["fresh"] else None
    )
    return Signals(
        domain=domain,
        closed=closed,
        difficulty=effort.difficulty,
        deep=effort.deep,
        needs_fresh=bool(fresh),
        language=language,
        length=len(question),
        confidence=confidence,
        evidence=(*_evidence_names(scores), *shape, *effort.evidence, *fresh),
    )


def _leading_domain(scores: Mapping[Domain, float], trust: float) -> tuple[Domain, float]:
    """Return the domain with the most points, and how clear its lead is, 0 to 1.

    Confidence is the margin over the second domain, divided by the leader's own points and a constant: with little
    evidence even a clear margin is believed little.
    """
    ranked = sorted(scores.items(), key=lambda item: -item[1])
    if not ranked:
        return "general", 0.0
    (domain, most), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0.0
    return domain, round(trust * (most - second) / (most + word_lists()["scale"]["closeness"]), 3)


def _trust(language: str | None, question: str) -> float:
    """Return how far the word lists can be believed in this language, 0 to 1."""
    # A formula alone has no language, and its form says what it is.
    if language == "en" or not any(letter.isalpha() for letter in question):
        return 1.0
    return float(word_lists()["scale"]["foreign" if language in word_lists() else "unknown"])


def _technical(scores: DomainScores, domain: Domain) -> list[str]:
    """Return the words and patterns that make the question one of specialists."""
    return scores.evidence[domain] if domain in _FIELDS else []


def _closed_evidence(question: str, language: str, domain: Domain) -> tuple[bool, list[str]]:
    """Return whether there is one right answer, and what says so.

    A demand for reasons, a text or a piece of work is open whatever else is asked; a calculation or a puzzle has one
    answer unless such a demand stands in it.
    """
    closed = matching_patterns(_forms("closed", language), question)
    open_ = matching_patterns(_forms("open", language), question)
    if domain in _SOLVED and not open_:
        closed.append(domain)
    reasons = matching_patterns(_forms("reasons", language), question)
    # A tie counts as open: in a cascade, open answers would have no common form in which they could be compared.
    is_closed = len(closed) > len(open_) and not reasons
    return is_closed, [*(f"closed: {name}" for name in closed), *(f"open: {name}" for name in (*open_, *reasons))]


def _fresh_evidence(question: str, text: TokenizedText, language: str, domain: Domain | None) -> list[str]:
    """Return what says that the answer changes with time."""
    names = [*sorted(_fresh_words(language).find(text)), *matching_patterns(_forms("fresh_forms", language), question)]
    if domain == "current_events":
        names.append("current events")
    return [f"fresh: {name}" for name in names]


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
    by_words = classify(question, context)
    if classifier is None:
        return by_words
    try:
        reply = await classifier(question)
        return reply if isinstance(reply, Signals) else _complete_signals(reply, by_words)
    except Exception as error:  # noqa: BLE001 - anybody's code, and the run goes on without it
        # Only the error's class: its text may hold the question, which does not belong in a log.
        _log.warning("the classifier gave no valid signals (%s); the word lists decide", type(error).__name__)
        return by_words


def _complete_signals(partial: Mapping[str, Any], by_words: Signals) -> Signals:
    if "domain" not in partial:
        raise ValueError("no domain")
    default = by_words.model_dump() | {"confidence": 1.0, "evidence": (f"{partial['domain']}: the given classifier",)}
    return Signals.model_validate(default | dict(partial))
