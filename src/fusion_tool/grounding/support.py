"""Whether a sentence stands in its source: figures, dates, quotations, names, negation and words compared.

Two quantities agree where they are the same within the precision they are written with.
"""

import re
from typing import Literal, TypeAlias

from fusion_tool.grounding.dates import conflicts, is_borne_out
from fusion_tool.grounding.passages import SourceIndex, Statement, index_source, nearest_passages, parse_statement
from fusion_tool.grounding.quantities import Quantity
from fusion_tool.grounding.wording import (
    concept,
    content_words,
    is_hedged,
    is_named_in,
    is_quoted_in,
    lexicon,
    negated_concepts,
    normalize_text,
    quotations,
    words,
)

_HEDGED, _PLAIN = 0.06, 0.025
"""Relative error forgiven to a rounded number with and without "about"; judged by hand, not measured."""

_REACH = 1.25
"""How far above its bound "more than" may lie before it is no honest summary, as a factor."""


def quantities_agree(claim: Quantity, source: Quantity) -> bool:
    """Return whether `source` bears out `claim`: same dimension, and the values agree as precisely as written."""
    if claim.dimension != source.dimension or {claim.bound, source.bound} == {"above", "below"}:
        return False
    if claim.bound == "above":
        return claim.value <= source.value <= _REACH * claim.value or (bool(source.bound) and _near(claim, source))
    if claim.bound == "below":
        return claim.value >= source.value >= claim.value / _REACH or (bool(source.bound) and _near(claim, source))
    return _near(claim, source)


def _near(claim: Quantity, source: Quantity) -> bool:
    gap, size = abs(claim.value - source.value), max(abs(claim.value), abs(source.value))
    if claim.bound or source.bound:
        allowed = _HEDGED * size
    else:
        step = max(claim.step, source.step) if claim.step != source.step else 0.0
        allowed = min(step / 2, _PLAIN * size)
    return gap <= allowed * (1 + 1e-9) + 1e-9 * size


Support: TypeAlias = Literal["supported", "weak", "mismatch"]
"""How far a source's text carries the sentence that cites it."""

_CARRIED = 0.55
_CARRIED_WITH_FIGURES = 0.42
_RELATED = 0.45
_SAME_BUT_NAME = 0.5
_SAME_BUT_TURNED = 0.6
"""Shares of the claim's content words that a passage must hold: to carry a claim of words, to carry one whose
figures it bears out, to be about the same matter, to say the same of somebody else, and to say the contrary."""

_ELSEWHERE = 0.7
"""What a word counts that stands in the source but outside the passage."""

_RELATIVE = re.compile(r"\s+(?:after|before|later|earlier|ago|since|apart)\b")
_CLAUSE = re.compile(r"[;\n()]|,(?!\d)|\b(?:while|whereas|and|but|compared|against|versus)\b")


def judge_support(sentence: str, source_text: str) -> Support:
    """Compare one sentence with the text of the source it cites.

    Args:
        sentence: One sentence, without citations.
        source_text: All that was read of the source.

    Returns:
        `supported` where a passage of the source carries the sentence; `mismatch` where a quotation is not in
        the source or the passage nearest to the sentence says otherwise; `weak` for all else.
    """
    claim, source = parse_statement(normalize_text(sentence)), index_source(source_text)
    if any(not is_quoted_in(quote, source.text) for quote in quotations(claim.text)):
        return "mismatch"
    best: Support = "weak"
    most = 0.0
    anywhere, candidates = nearest_passages(claim, source)
    for passage in candidates:
        verdict, coverage = _compare(claim, passage, source, anywhere)
        if verdict != "weak" and (coverage > most or (coverage == most and verdict == "supported")):
            best, most = verdict, coverage
    return best


def _compare(
    claim: Statement, passage: Statement, source: SourceIndex, anywhere: frozenset[str]
) -> tuple[Support, float]:
    topic = _topic(claim)
    coverage = _coverage(topic, passage, anywhere)
    nearest = _nearest(claim, passage)
    if _has_other_name(claim, nearest, topic, source):
        return "mismatch", coverage
    unborne = [mine for mine in claim.quantities if not _is_borne_out(mine, passage)]
    undated = [mine for mine in claim.dates if not any(is_borne_out(mine, other) for other in passage.dates)]
    if coverage >= _RELATED and (
        any(_rival(mine, other, claim) for mine in unborne for other in passage.quantities)
        or any(passage.dates and all(conflicts(mine, other) for other in passage.dates) for mine in undated)
        or (not unborne and any(_is_misplaced(mine, passage, claim, topic) for mine in claim.quantities))
        or _is_contrary(claim, nearest, topic)
    ):
        return "mismatch", coverage
    strange = any(not is_named_in(name, source.text, source.words) for name in claim.names)
    if strange or unborne or undated or (is_hedged(nearest.text) and not is_hedged(claim.text)):
        return "weak", coverage
    enough = _CARRIED_WITH_FIGURES if claim.quantities or claim.dates else _CARRIED
    return ("supported" if coverage >= enough else "weak"), coverage


def _nearest(claim: Statement, passage: Statement) -> Statement:
    """The one sentence of the passage that shares most words with the claim, the claim's names aside."""
    own = claim.concepts.keys() - {concept(word) for name in claim.names for word in words(name)}
    return max(map(parse_statement, passage.text.split("\n")), key=lambda part: len(part.concepts.keys() & own))


def _topic(claim: Statement) -> set[str]:
    """The claim's concepts beside its figures."""
    spans = [(quantity.start, quantity.end) for quantity in claim.quantities] + [
        (date.start, date.end) for date in claim.dates
    ]
    figures = {word for start, end in spans for word in words(claim.text[start:end])}
    return {key for key, word in claim.concepts.items() if word not in figures}


def _coverage(topic: set[str], passage: Statement, anywhere: frozenset[str] = frozenset()) -> float:
    if not topic:
        return 1.0
    inside = topic & passage.concepts.keys()
    return (len(inside) + _ELSEWHERE * len((topic - inside) & anywhere)) / len(topic)


def _has_other_name(claim: Statement, nearest: Statement, topic: set[str], source: SourceIndex) -> bool:
    """Whether the nearest sentence says the same of a name that the claim does not have.

    A name that stands elsewhere in the source may only be called otherwise here ("the company"); it counts
    as another's only between full names.
    """
    own, here = frozenset(words(claim.text)), frozenset(words(nearest.text))
    others = [name for name in nearest.names if not is_named_in(name, claim.text, own)]
    for name in claim.names:
        if is_named_in(name, nearest.text, here):
            continue
        elsewhere = is_named_in(name, source.text, source.words)
        rivals = [other for other in others if " " in other] if elsewhere else others
        if elsewhere and " " not in name:
            continue
        rest = topic - {concept(word) for word in words(name)}
        if rivals and rest and _coverage(rest, nearest) >= _SAME_BUT_NAME:
            return True
    return False


def _is_borne_out(mine: Quantity, passage: Statement) -> bool:
    return any(quantities_agree(mine, other) and _same_noun(mine, other, passage) for other in passage.quantities)


def _same_noun(mine: Quantity, other: Quantity, passage: Statement) -> bool:
    """Whether both count the same things, as far as the texts tell."""
    empty = lexicon().stop
    if mine.dimension or not mine.noun or not other.noun or {mine.noun, other.noun} & empty:
        return True
    return concept(mine.noun) in passage.concepts


def _rival(mine: Quantity, other: Quantity, claim: Statement) -> bool:
    """Whether `other` is what the source gives in place of `mine`."""
    if any(quantities_agree(figure, other) for figure in claim.quantities if figure is not mine):
        return False
    if mine.dimension == "time" and _RELATIVE.match(claim.text, mine.end):
        return False  # reckoned from dates
    if mine.dimension != other.dimension:
        return bool(mine.dimension and other.dimension) and mine.value == other.value
    return bool(mine.dimension) or concept(mine.noun) == concept(other.noun)


def _is_misplaced(mine: Quantity, passage: Statement, claim: Statement, topic: set[str]) -> bool:
    """Whether the passage gives the figure, but in a clause about something else that has its own figure."""
    alone = not any(mine.dimension == other.dimension for other in claim.quantities if other is not mine)
    if not (mine.dimension and alone):
        return False
    pointers = {concept(word) for name in claim.names for word in words(name)} & topic or topic
    right: set[str] = set()
    wrong: set[str] = set()
    start = 0
    for stop in [*_CLAUSE.finditer(passage.text), None]:
        end = stop.start() if stop else len(passage.text)
        here = [other for other in passage.quantities if start <= other.start < end]
        if any(quantities_agree(mine, other) for other in here):
            right |= content_words(passage.text[start:end]).keys() & pointers
        elif any(mine.dimension == other.dimension for other in here):
            wrong |= content_words(passage.text[start:end]).keys() & pointers
        start = end
    return bool(wrong - right) and not right - wrong


def _is_contrary(claim: Statement, nearest: Statement, topic: set[str]) -> bool:
    """Whether one of the two negates what the other asserts, or says its opposite."""
    against = lexicon().opposites
    mine, theirs = claim.concepts.keys(), nearest.concepts.keys()
    turned = {key for key in mine & against.keys() - theirs if against[key] & theirs and not against[key] & mine}
    if len(topic & (theirs | turned)) < _SAME_BUT_TURNED * len(topic):
        return False
    denied, said = negated_concepts(claim.text)
    theirs_denied, theirs_said = negated_concepts(nearest.text)
    if turned:
        return all((key in denied) == bool(against[key] & theirs_denied) for key in turned)
    if denied & theirs_denied:
        return False
    return bool((denied - said) & (theirs_said - theirs_denied) or (theirs_denied - theirs_said) & (said - denied))
