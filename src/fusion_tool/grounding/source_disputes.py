"""Sources that give different figures for the same thing, as the sentences that cite them show."""

import re
from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import NamedTuple

from fusion_tool.grounding.audit import Audit
from fusion_tool.grounding.dates import conflicts
from fusion_tool.grounding.framing import strip_lead_in
from fusion_tool.grounding.passages import (
    Statement,
    index_source,
    nearest_passages,
    nearest_sentence,
    nearest_sources,
    parse_statement,
    topic_of,
)
from fusion_tool.grounding.quantities import Quantity, find_quantities, quantities_agree
from fusion_tool.grounding.wording import concept, content_words, negated_concepts, normalize_text

_SAME_OF_SHORTER, _SAME_OF_LONGER = 0.8, 0.5
"""Shares of the content words, figures aside, that two sentences about the same thing have in common."""
_FEWEST_WORDS = 2
_HELD_OF_QUESTION = 0.6
"""Share of a question's content words, names aside, that a sentence holds which answers it."""
_ASKED = re.compile(r"\bhow (?:many (?P<unit>[a-z]+)|(?P<long>long))\b", re.IGNORECASE)
_AUXILIARY = re.compile(r"\b(?:do|does|did|has|have|had|can|could|will|would|is|are|was|were)\b", re.IGNORECASE)
_SWITCHED_OFF = re.compile(r"\b(?:off|without|idle|disabled)\b", re.IGNORECASE)


class SourcedClaim(NamedTuple):
    """A sentence that a source carries, without its citations, and the source's id."""

    claim: str
    id: str


class SourceDispute(NamedTuple):
    """Two sentences of different sources whose figures cannot both hold of one thing."""

    first: SourcedClaim
    second: SourcedClaim


class _Question(NamedTuple):
    """A question for a figure: its content words but names and unit, the subject's first, and the figure's kind."""

    topic: frozenset[str]
    subject: str
    names: frozenset[str]
    kind: str


def sourced_claims(audit: Audit) -> list[SourcedClaim]:
    """Return the sentences of a text that a source carries, cited or not, in order of their place."""
    cited = [SourcedClaim(row.claim, row.id) for row in audit.verdicts if row.support == "supported"]
    uncited = [
        SourcedClaim(row.sentence, row.source_id)
        for row in audit.uncited
        if row.source_id and row.support == "supported" and not row.invented
    ]
    return [*cited, *uncited]


def sentences_about(matter: str, texts: Mapping[str, str]) -> list[SourcedClaim]:
    """Return the sentences with figures that come nearest to `matter`, one of each of the nearest sources.

    Args:
        matter: A question or a claim.
        texts: The sources' texts by id.
    """
    wanted = parse_statement(normalize_text(matter))
    sentences: list[SourcedClaim] = []
    for key in nearest_sources(matter, texts, _SAME_OF_LONGER):
        _, passages = nearest_passages(wanted, index_source(texts[key]))
        nearest = [nearest_sentence(wanted, passage) for passage in passages]
        told = next((one for one in nearest if one.quantities or one.dates), None)
        if told:
            sentences.append(SourcedClaim(told.text, key))
    return sentences


def find_disputes(claims: Iterable[SourcedClaim], question: str = "") -> list[SourceDispute]:
    """Return the pairs of claims from different sources that give different figures, each pair of sources once.

    Args:
        claims: What sources carry; from one answer or several.
        question: What was asked. Where it asks for a figure, claims that answer it are compared whatever else they say.
    """
    asked = _parse_question(question)
    disputes: dict[frozenset[str], SourceDispute] = {}
    parsed = [(claim, parse_statement(strip_lead_in(normalize_text(claim.claim)))) for claim in dict.fromkeys(claims)]
    with_figures = [pair for pair in parsed if pair[1].quantities or pair[1].dates]
    for (first, ours), (second, theirs) in combinations(with_figures, 2):
        if first.id == second.id:
            continue
        if (_speak_of_the_same(ours, theirs) and _differ(ours, theirs)) or (
            asked and _answer_differently(asked, ours, theirs)
        ):
            disputes.setdefault(frozenset((first.id, second.id)), SourceDispute(first, second))
    return list(disputes.values())


def _parse_question(question: str) -> _Question | None:
    """Return what a question for a figure asks; `None` for any other, and where it does not say of what."""
    text = normalize_text(question)
    asked, auxiliary = _ASKED.search(text), _AUXILIARY.search(text)
    if not asked or not auxiliary:
        return None
    unit = (asked["unit"] or "").lower()
    # "How many hours" asks for what a number of hours is, "how long" for a time.
    example = find_quantities(f"2 {unit}" if unit else "2 hours")
    statement = parse_statement(text)
    names = {key for name in statement.names for key in content_words(name)}
    topic = topic_of(statement) - names - ({concept(unit)} if unit else set())
    subject = next((key for key in content_words(text[auxiliary.end() :]) if key in topic), "")
    if not example or not subject or len(topic) < _FEWEST_WORDS:
        return None
    return _Question(frozenset(topic), subject, frozenset(names), _kind(example[0]))


def _answer_differently(asked: _Question, ours: Statement, theirs: Statement) -> bool:
    """Tell whether both statements answer a question, with figures that cannot both hold under the same conditions."""
    return (
        all(_answers(asked, statement) for statement in (ours, theirs))
        and bool(_SWITCHED_OFF.search(ours.text)) == bool(_SWITCHED_OFF.search(theirs.text))
        and not any(conflicts(mine, other) for mine in ours.dates for other in theirs.dates)
        and _all_differ(asked.kind, ours, theirs)
    )


def _answers(asked: _Question, statement: Statement) -> bool:
    concepts = statement.concepts.keys()
    # A sentence with a name of its own, and none of the question's, speaks of something else.
    others = {key for name in statement.names for key in content_words(name)} - asked.names
    return (
        asked.subject in concepts
        and len(asked.topic & concepts) >= _HELD_OF_QUESTION * len(asked.topic)
        and any(_kind(figure) == asked.kind for figure in statement.quantities)
        and not others
    )


def _speak_of_the_same(ours: Statement, theirs: Statement) -> bool:
    mine, other = topic_of(ours), topic_of(theirs)
    shared, shorter, longer = len(mine & other), min(len(mine), len(other)), max(len(mine), len(other))
    # One word alone tells a thing only where neither says more: "the mill" is not "the mill's wheel".
    if (
        (shared < _FEWEST_WORDS and longer > 1)
        or shared < _SAME_OF_SHORTER * shorter
        or shared < _SAME_OF_LONGER * longer
        or not shared
    ):
        return False
    # What one denies and the other does not is a dispute of another kind, or none.
    return negated_concepts(ours.text)[0] == negated_concepts(theirs.text)[0]


def _differ(ours: Statement, theirs: Statement) -> bool:
    kinds = {_kind(figure) for figure in ours.quantities} & {_kind(figure) for figure in theirs.quantities}
    apart = [(mine, other) for mine in ours.dates for other in theirs.dates if conflicts(mine, other)]
    if not kinds:
        # With figures of different kinds beside them the dates are those of different events.
        has_figures = bool(ours.quantities or theirs.quantities)
        return not has_figures and len(apart) == len(ours.dates) * len(theirs.dates) > 0
    # Of different years different figures hold.
    return not apart and any(_all_differ(kind, ours, theirs) for kind in kinds)


def _all_differ(kind: str, ours: Statement, theirs: Statement) -> bool:
    mine = [figure for figure in ours.quantities if _kind(figure) == kind]
    others = [figure for figure in theirs.quantities if _kind(figure) == kind]
    if any(figure.bound in ("above", "below") for figure in (*mine, *others)):
        return False
    return not any(
        quantities_agree(figure, other) or quantities_agree(other, figure) for figure in mine for other in others
    )


def _kind(figure: Quantity) -> str:
    return figure.dimension or f"number of {concept(figure.noun)}"
