"""Which domain a text's words and forms speak for, in points."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from fusion_tool.routing.classifier.phrases import (
    Forms,
    Phrases,
    TokenizedText,
    compile_patterns,
    matching_patterns,
    phrases,
    split_entries,
    stem,
    tokenize,
    word_lists,
)
from fusion_tool.routing.classifier.signals import DOMAINS, Domain

_Tiers: TypeAlias = Mapping[str, Mapping[Domain, Phrases]]
"""By weight, then by domain."""
_HEADS = frozenset({"head", "transform"})
"""Weights of what counts only where a sentence starts."""
_MATERIAL = ":", "\n"
"""What separates a task from the text that it is about."""


class DomainScores(NamedTuple):
    """The points of each domain, and the words and patterns that they come from."""

    points: Mapping[Domain, float]
    evidence: Mapping[Domain, list[str]]


def score_domains(question: str, context: str, language: str) -> DomainScores:
    """Score each domain by the words and patterns that speak for it.

    Args:
        question: Read whole, but for the material of a task such as a translation.
        context: What is already known; its words weigh less, and no task is read from it.
        language: Whose words are known, beside those that are the same everywhere.
    """
    text = tokenize(question, language)
    tally = _Tally(language)
    # "Translate this: ..." is writing, whatever the text is about; the words of the text would count for other domains.
    if tally.add(text, "transform"):
        question = _task(question)
        text = tokenize(question, language)
    for tier in ("head", "strong", "weak"):
        tally.add(text, tier)
    tally.add_forms(question)
    if context:
        context_text, share = tokenize(context, language), float(word_lists()["scale"]["context"])
        for tier in ("strong", "weak"):
            tally.add(context_text, tier, share)
        tally.add_forms(context, share)
    # A subject of which no word belongs to a field is itself a sign; only in English is there a list to tell it by.
    if not tally.points.keys() - {"general"} and language == "en" and _has_subject(text):
        tally.add_plain()
    return DomainScores(tally.points, tally.evidence)


class _Tally:
    """The points of each domain while a text is read."""

    def __init__(self, language: str) -> None:
        self.points: defaultdict[Domain, float] = defaultdict(float)
        self.evidence: dict[Domain, list[str]] = {domain: [] for domain in DOMAINS}
        self._tiers = [_everywhere(), _tiers_of(language)]
        self._hits: set[tuple[Domain, str]] = set()

    def add(self, text: TokenizedText, tier: str, share: float = 1.0) -> bool:
        """Count the phrases of one weight, each once; return whether there were any."""
        weight, most = word_lists()["weights"][tier] * share, word_lists()["weights"].get(f"{tier}_most")
        heads = _heads(text) if tier in _HEADS else None
        has_hits = False
        for domain in DOMAINS:
            hits = {
                phrase
                for tiers in self._tiers
                if domain in tiers.get(tier, {})
                for phrase, positions in tiers[tier][domain].find(text).items()
                if heads is None or not heads.isdisjoint(positions)
            }
            # Once, however often it occurs: a repeated word makes its domain no more certain.
            new = [phrase for phrase in sorted(hits) if (domain, phrase) not in self._hits]
            self._count(domain, new, weight, most)
            has_hits = has_hits or bool(hits)
        return has_hits

    def add_forms(self, text: str, share: float = 1.0) -> None:
        """Count the forms of every weight."""
        for tier, by_domain in _forms().items():
            for domain, forms in by_domain.items():
                self._count(domain, matching_patterns(forms, text), word_lists()["weights"][tier] * share, None)

    def add_plain(self) -> None:
        """Count a question of everyday words for `general`."""
        self.points["general"] += word_lists()["weights"]["plain"]
        self.evidence["general"].append("everyday words alone")

    def _count(self, domain: Domain, names: list[str], weight: float, most: float | None) -> None:
        if names:
            # Weak words are capped together: any number of them settles no more than one strong word does.
            total = weight * len(names) if most is None else min(weight * len(names), most)
            self.points[domain] += total * (word_lists()["scale"]["everyday"] if domain == "general" else 1.0)
            self.evidence[domain] += names
            self._hits.update((domain, name) for name in names)


def _heads(text: TokenizedText) -> set[int]:
    """Return positions of the words with which sentences begin, after what is merely polite."""
    polite = _polite().find(text)
    # "Could you please help me to translate": polite phrases come one after the other before the task.
    skips = {place: len(phrase.split()) for phrase, places in polite.items() for place in places}
    heads = set()
    for start in text.starts:
        head = start
        while head in skips:
            head += skips[head]
        heads.add(head)
    return heads


def _has_subject(text: TokenizedText) -> bool:
    """Return whether the text says what it is about."""
    topic_words = {word for word in text.stems if word.isalpha()} - _vague()
    return len(topic_words) >= int(word_lists()["vague"]["topic_words"])


def _task(question: str) -> str:
    """Return what comes before the material; the whole where no material follows."""
    ends = [at for mark in _MATERIAL if (at := question.find(mark)) > 0]
    return question[: min(ends)] if ends else question


@cache
def _everywhere() -> _Tiers:
    return _read_tiers(word_lists()["any"], None)


@cache
def _tiers_of(language: str) -> _Tiers:
    return _read_tiers(word_lists().get(language, {}), language)


def _read_tiers(table: Mapping[str, str | Mapping[str, str]], language: str | None) -> _Tiers:
    """Return a language's phrases by weight; a list without weights is all strong."""
    tiers: dict[str, dict[Domain, Phrases]] = {}
    for domain in DOMAINS:
        row = table.get(domain, {})
        for tier, words in ({"strong": row} if isinstance(row, str) else row).items():
            tiers.setdefault(tier, {})[domain] = phrases(words, language)
    return tiers


@cache
def _vague() -> frozenset[str]:
    """Return stems of words that name no subject."""
    common = word_lists()["languages"]["stop"]["en"].split()
    return frozenset(stem(word, "en") for word in (*split_entries(word_lists()["vague"]["words"]), *common))


@cache
def _polite() -> Phrases:
    return phrases(word_lists()["polite"]["words"])


@cache
def _forms() -> Mapping[str, Mapping[Domain, Forms]]:
    return {
        tier: {key: compile_patterns(row) for key, row in table.items()}
        for tier, table in word_lists()["patterns"].items()
    }
