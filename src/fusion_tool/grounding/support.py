"""Whether a source carries a claim: quotations, names, figures, dates, negation, hedges and words compared.

`judge_support` gives the verdict. Two quantities agree where they are the same within the precision they are written
with. The shares of words below were set on the dev half of `tests/data/support_pairs.jsonl`; the held-out half was
judged once, after the code was frozen (`docs/grounding.md`). `benchmarks/grounding.py` measures a change of them.
"""

import re
from typing import Literal, NamedTuple, TypeAlias

from fusion_tool.grounding.dates import conflicts, is_borne_out
from fusion_tool.grounding.passages import (
    SourceIndex,
    Statement,
    excerpt,
    index_source,
    nearest_passages,
    parse_statement,
)
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

_BOUND_FACTOR = 1.25
"""How many times its bound a value may be before "more than" is no honest summary of it."""


def quantities_agree(claim: Quantity, source: Quantity) -> bool:
    """Return whether `source` bears out `claim`: same dimension, and the values agree as precisely as written.

    Args:
        claim: The claim's figure; "more than" and "less than" also agree with a value somewhat beyond them.
        source: The source's figure.
    """
    if claim.dimension != source.dimension or {claim.bound, source.bound} == {"above", "below"}:
        return False
    if claim.bound == "above":
        return claim.value <= source.value <= _BOUND_FACTOR * claim.value or (
            bool(source.bound) and _near(claim, source)
        )
    if claim.bound == "below":
        return claim.value >= source.value >= claim.value / _BOUND_FACTOR or (
            bool(source.bound) and _near(claim, source)
        )
    return _near(claim, source)


def _near(claim: Quantity, source: Quantity) -> bool:
    gap, size = abs(claim.value - source.value), max(abs(claim.value), abs(source.value))
    if claim.bound or source.bound:
        tolerance = _HEDGED * size
    else:
        # One of the two rounds the other only where it has fewer digits; 40 does not cover 42. The second limit is for
        # few digits: half of the last one of "2 million" would forgive a quarter of the value.
        step = max(claim.step, source.step) if claim.step != source.step else 0.0
        tolerance = min(step / 2, _PLAIN * size)
    # Conversion into base units leaves an error in the last bits of a float.
    return gap <= tolerance * (1 + 1e-9) + 1e-9 * size


Support: TypeAlias = Literal["supported", "weak", "mismatch"]
"""How far a source's text carries the sentence that cites it."""

VERDICT_LABELS: dict[Support, str] = {"supported": "supported", "weak": "weak", "mismatch": "check this"}
"""What a reader is told: a mismatch is a reason to look, no proof."""

_CARRIED = 0.55
_CARRIED_WITH_FIGURES = 0.42
_RELATED = 0.45
_SAME_BUT_NAME = 0.5
_SAME_BUT_OPPOSITE = 0.6
"""Shares of the claim's content words that a passage must hold: to carry a claim of words, to carry one whose
figures it bears out, to be about the same matter, to say the same of somebody else, and to say the contrary."""

_ELSEWHERE = 0.7
"""The weight of a word that stands in the source but outside the passage, in which it weighs 1."""

_RELATIVE = re.compile(r"\s+(?:after|before|later|earlier|ago|since|apart)\b")
_CLAUSE = re.compile(r"[;\n()]|,(?!\d)|\b(?:while|whereas|and|but|compared|against|versus)\b")


class Comparison(NamedTuple):
    """What a source is worth for a claim.

    Args:
        support: `supported` where a passage carries the claim; `mismatch` where a quotation is not in the source or
            the passage nearest to the claim says otherwise; `weak` for all else.
        passage: The words of the source that were compared, at most 400 characters; empty where none were.
        coverage: Share of the claim's content words that stand in that passage, 0 to 1.
    """

    support: Support
    passage: str
    coverage: float


def compare_claim(sentence: str, source_text: str) -> Comparison:
    """Compare a claim with the text of the source that it cites.

    Args:
        sentence: The claim: a sentence or a part of it, without citations.
        source_text: All that was read of the source.
    """
    claim, source = parse_statement(normalize_text(sentence)), index_source(source_text)
    anywhere, candidates = nearest_passages(claim, source)
    best: Support = "weak"
    passage = candidates[0] if candidates else None
    # Before all else: a quotation asserts the source's very words, and no likeness of content makes up for them.
    if any(not is_quoted_in(quote, source.text) for quote in quotations(claim.text)):
        best, candidates = "mismatch", []
    most = 0.0
    for candidate in candidates:
        verdict, coverage = _compare(claim, candidate, source, anywhere)
        # The passage that has most of the claim's words decides, and of two that have as many the one that carries it.
        if verdict != "weak" and (coverage > most or (coverage == most and verdict == "supported")):
            best, most, passage = verdict, coverage, candidate
    if passage is None:
        return Comparison(best, "", 0.0)
    return Comparison(best, excerpt(passage.text, claim), _coverage(_topic(claim), passage))


def judge_support(sentence: str, source_text: str) -> Support:
    """Return the verdict alone of `compare_claim`."""
    return compare_claim(sentence, source_text).support


def _compare(
    claim: Statement, passage: Statement, source: SourceIndex, anywhere: frozenset[str]
) -> tuple[Support, float]:
    """Return the verdict on `claim` by one passage alone, and the share of the claim's words that it covers."""
    topic = _topic(claim)
    coverage = _coverage(topic, passage, anywhere)
    nearest = _nearest(claim, passage)
    # First the name: where all is said of somebody else, figures that agree prove nothing.
    if _has_other_name(claim, nearest, topic, source):
        return "mismatch", coverage
    missing_figures = [figure for figure in claim.quantities if not _has_figure(passage, figure)]
    missing_dates = [date for date in claim.dates if not any(is_borne_out(date, other) for other in passage.dates)]
    # Only a passage about the same matter can contradict: any page holds some other figure and some other date.
    if coverage >= _RELATED and (
        any(_is_rival(figure, other, claim) for figure in missing_figures for other in passage.quantities)
        or any(passage.dates and all(conflicts(date, other) for other in passage.dates) for date in missing_dates)
        or (not missing_figures and any(_is_misplaced(figure, passage, claim, topic) for figure in claim.quantities))
        or _is_contrary(claim, nearest, topic)
    ):
        return "mismatch", coverage
    has_unknown_name = any(not is_named_in(name, source.text, source.words) for name in claim.names)
    is_overstated = is_hedged(nearest.text) and not is_hedged(claim.text)
    if has_unknown_name or missing_figures or missing_dates or is_overstated:
        return "weak", coverage
    # A figure that agrees is strong evidence of its own: fewer words need to agree beside it.
    enough = _CARRIED_WITH_FIGURES if claim.quantities or claim.dates else _CARRIED
    return ("supported" if coverage >= enough else "weak"), coverage


def _nearest(claim: Statement, passage: Statement) -> Statement:
    """Return the sentence of the passage that shares most words with the claim, the claim's names aside."""
    # Names aside: in a passage about one company its name is in each sentence, and tells none of them apart.
    own = claim.concepts.keys() - {concept(word) for name in claim.names for word in words(name)}
    return max(map(parse_statement, passage.text.split("\n")), key=lambda part: len(part.concepts.keys() & own))


def _topic(claim: Statement) -> set[str]:
    """Return the claim's concepts without those within its figures and dates, which are compared by value."""
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
    """Tell whether the nearest sentence says the same of a name that the claim does not have.

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


def _has_figure(passage: Statement, figure: Quantity) -> bool:
    return any(quantities_agree(figure, other) and _same_noun(figure, other, passage) for other in passage.quantities)


def _same_noun(figure: Quantity, other: Quantity, passage: Statement) -> bool:
    """Tell whether both count the same things, as far as the texts tell."""
    stop = lexicon().stop
    if figure.dimension or not figure.noun or not other.noun or {figure.noun, other.noun} & stop:
        return True
    # Anywhere in the passage: "40 full-time employees" has another word behind its number.
    return concept(figure.noun) in passage.concepts


def _is_rival(figure: Quantity, other: Quantity, claim: Statement) -> bool:
    """Tell whether `other` is what the source gives in place of the claim's `figure`."""
    if any(quantities_agree(mine, other) for mine in claim.quantities if mine is not figure):
        return False
    # "Three years later" may be computed from the source's dates; a duration that the source gives is no rival to it.
    if figure.dimension == "time" and _RELATIVE.match(claim.text, figure.end):
        return False
    # In another dimension the same number is the unit mistaken, "5 km" for "5 kg"; any other number is another matter.
    if figure.dimension != other.dimension:
        return bool(figure.dimension and other.dimension) and figure.value == other.value
    return bool(figure.dimension) or concept(figure.noun) == concept(other.noun)


def _is_misplaced(figure: Quantity, passage: Statement, claim: Statement, topic: set[str]) -> bool:
    """Tell whether the passage gives the figure, but in a clause about something else that has its own figure."""
    is_alone = not any(figure.dimension == other.dimension for other in claim.quantities if other is not figure)
    if not (figure.dimension and is_alone):
        return False
    # What tells the clauses apart: the claim's names; where it has none, all of its words.
    pointers = {concept(word) for name in claim.names for word in words(name)} & topic or topic
    right: set[str] = set()
    wrong: set[str] = set()
    start = 0
    for stop in [*_CLAUSE.finditer(passage.text), None]:
        end = stop.start() if stop else len(passage.text)
        here = [other for other in passage.quantities if start <= other.start < end]
        if any(quantities_agree(figure, other) for other in here):
            right |= content_words(passage.text[start:end]).keys() & pointers
        elif any(figure.dimension == other.dimension for other in here):
            wrong |= content_words(passage.text[start:end]).keys() & pointers
        start = end
    # Both conditions: a word that stands with the figure as well as with its rival tells nothing.
    return bool(wrong - right) and not right - wrong


def _is_contrary(claim: Statement, nearest: Statement, topic: set[str]) -> bool:
    """Tell whether one of the two negates what the other asserts, or says its opposite."""
    opposites = lexicon().opposites
    ours, theirs = claim.concepts.keys(), nearest.concepts.keys()
    # A text that holds a word and its opposite, "rose, then fell", contradicts neither.
    swaps = {key for key in ours & opposites.keys() - theirs if opposites[key] & theirs and not opposites[key] & ours}
    if len(topic & (theirs | swaps)) < _SAME_BUT_OPPOSITE * len(topic):
        return False
    our_negative, our_positive = negated_concepts(claim.text)
    their_negative, their_positive = negated_concepts(nearest.text)
    # "Did not rise" agrees with "fell": opposites contradict each other where neither of them is negated, or both are.
    if swaps:
        return all((key in our_negative) == bool(opposites[key] & their_negative) for key in swaps)
    if our_negative & their_negative:
        return False
    # Only concepts that are purely negative in one text and purely positive in the other.
    return bool(
        (our_negative - our_positive) & (their_positive - their_negative)
        or (their_negative - their_positive) & (our_positive - our_negative)
    )
