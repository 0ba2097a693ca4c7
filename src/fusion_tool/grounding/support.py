"""Whether a source carries a claim: quotations, names, figures, dates, negation, hedges and words compared.

`judge_support` gives the verdict. Two quantities agree where they are the same within the precision they are written
with. The shares of words below were set on the dev half of `tests/data/support_pairs.jsonl`; the held-out half was
judged once, after the code was frozen (`docs/grounding.md`). `benchmarks/grounding.py` measures a change of them.
"""

import re
from typing import Literal, NamedTuple, TypeAlias

from fusion_tool.grounding.contradictions import (
    has_other_name,
    has_other_rate,
    has_other_speaker,
    have_swapped_figures,
    have_swapped_roles,
    is_contrary,
    is_misplaced,
    is_rival,
    turns_change_round,
)
from fusion_tool.grounding.dates import Date, conflicts, is_borne_out
from fusion_tool.grounding.framing import is_pointer, strip_lead_in
from fusion_tool.grounding.passages import (
    SourceIndex,
    Statement,
    coverage_of,
    excerpt,
    index_source,
    nearest_passages,
    nearest_sentence,
    parse_statement,
    topic_of,
)
from fusion_tool.grounding.quantities import Quantity, quantities_agree
from fusion_tool.grounding.wording import (
    concept,
    is_english,
    is_named_in,
    is_overstated,
    is_quoted_in,
    lexicon,
    normalize_text,
    quotations,
)

Support: TypeAlias = Literal["supported", "weak", "mismatch"]
"""How far a source's text carries the sentence that cites it."""

VERDICT_LABELS: dict[Support, str] = {"supported": "supported", "weak": "weak", "mismatch": "check this"}
"""What a reader is told: a mismatch is a reason to look, no proof."""

_CARRIED = 0.55
_CARRIED_WITH_FIGURES = 0.42
_RELATED = 0.45
_TOGETHER = 0.3
"""Shares of the claim's content words that a passage must hold: to carry a claim of words, to carry one whose
figures it bears out, to be about the same matter, and, in this one passage alone, to carry anything."""

_CLEARLY_LESS = 0.1
_FEWEST_SHARED = 2

_NUMBER = re.compile(r"^[\d.,\s^x\u00d7*+-]+")


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
    normal = normalize_text(sentence)
    claim, source = parse_statement(strip_lead_in(normal)), index_source(source_text)
    anywhere, candidates = nearest_passages(claim, source)
    best: Support = "weak"
    passage = candidates[0] if candidates else None
    # Before all else: a quotation asserts the source's very words, and no likeness of content makes up for them.
    quotes = quotations(claim.text)
    if any(not is_quoted_in(quote, source.text) or has_other_speaker(claim, quote, source) for quote in quotes):
        best, candidates = "mismatch", []
    elif is_pointer(normal) or is_pointer(claim.text):
        candidates = []
    most = 0.0
    rows = [(candidate, *_compare(claim, candidate, source, anywhere)) for candidate in candidates]
    # A passage contradicts only where none that tells nothing speaks as much of the claim's matter, since any page has
    # another date somewhere; and it carries nothing where one speaks clearly more.
    silent = max((coverage for _, verdict, coverage in rows if verdict == "weak"), default=-1.0)
    for candidate, verdict, coverage in rows:
        least = silent if verdict == "mismatch" else silent - _CLEARLY_LESS
        if verdict == "weak" or coverage < least or (verdict == "mismatch" and coverage == silent):
            continue
        # The passage that has most of the claim's words decides, and of two that have as many the one that carries it.
        if coverage > most or (coverage == most and verdict == "supported"):
            best, most, passage = verdict, coverage, candidate
    if passage is None:
        return Comparison(best, "", 0.0)
    return Comparison(best, excerpt(passage.text, claim), coverage_of(topic_of(claim), passage))


def judge_support(sentence: str, source_text: str) -> Support:
    """Return the verdict alone of `compare_claim`."""
    return compare_claim(sentence, source_text).support


def _compare(
    claim: Statement, passage: Statement, source: SourceIndex, anywhere: frozenset[str]
) -> tuple[Support, float]:
    """Return the verdict on `claim` by one passage alone, and the share of the claim's words that it covers."""
    topic = topic_of(claim)
    coverage = coverage_of(topic, passage, anywhere)
    nearest = nearest_sentence(claim, passage)
    missing_figures = [figure for figure in claim.quantities if not _has_figure(passage, figure, claim)]
    missing_dates = [date for date in claim.dates if not any(is_borne_out(date, other) for other in passage.dates)]
    # First the name: where all is said of somebody else, figures that agree prove nothing.
    if has_other_name(claim, nearest, topic, source):
        return "mismatch", coverage
    # Only a passage about the same matter can contradict: any page holds some other figure and some other date.
    if coverage >= _RELATED and (
        _has_rival(claim, passage, topic, missing_figures, missing_dates)
        or (not missing_figures and _are_misplaced(claim, passage, topic))
        or has_other_rate(claim, passage)
        or turns_change_round(claim, passage)
        or is_contrary(claim, nearest, topic)
        or have_swapped_roles(claim, nearest)
    ):
        return "mismatch", coverage
    has_unknown_name = is_english(claim.text) and any(
        not is_named_in(name, source.text, source.words) for name in claim.names
    )
    if has_unknown_name or missing_figures or missing_dates or is_overstated(claim.text, nearest.text):
        return "weak", coverage
    # A figure that agrees is strong evidence of its own: fewer words need to agree beside it.
    enough = _CARRIED_WITH_FIGURES if claim.quantities or claim.dates else _CARRIED
    is_together = coverage_of(topic, passage) >= _TOGETHER
    return ("supported" if coverage >= enough and is_together else "weak"), coverage


def _has_rival(
    claim: Statement, passage: Statement, topic: set[str], figures: list[Quantity], dates: list[Date]
) -> bool:
    """Tell whether the passage has another value in place of one of the claim's `figures` or `dates`."""
    # One word in common, the subject's, is too little: it was built in one year and burned down in another.
    if len(topic & passage.concepts.keys()) < min(len(topic), _FEWEST_SHARED):
        return False
    return any(is_rival(figure, other, claim) for figure in figures for other in _rivals(figure, passage)) or any(
        passage.dates and all(conflicts(date, other) for other in passage.dates) for date in dates
    )


def _are_misplaced(claim: Statement, passage: Statement, topic: set[str]) -> bool:
    return have_swapped_figures(claim, passage) or any(
        is_misplaced(figure, passage, claim, topic) for figure in claim.quantities
    )


def _rivals(figure: Quantity, passage: Statement) -> list[Quantity]:
    """Return the passage's figures that may stand in place of the claim's; none where a table's head has the unit."""
    if figure.dimension and any(not other.dimension and other.number == figure.number for other in passage.quantities):
        return []
    return passage.quantities


def _has_figure(passage: Statement, figure: Quantity, claim: Statement) -> bool:
    # In a table the unit stands in the head, or in a cell of its own.
    unit = _NUMBER.sub("", claim.text[figure.start : figure.end])
    if figure.dimension and unit and unit in passage.text:
        bare = [other for other in passage.quantities if not other.dimension]
        if any(other.number == figure.number for other in bare):
            return True
    return any(quantities_agree(figure, other) and _same_noun(figure, other, passage) for other in passage.quantities)


def _same_noun(figure: Quantity, other: Quantity, passage: Statement) -> bool:
    """Tell whether both count the same things, as far as the texts tell."""
    stop = lexicon().stop
    if figure.dimension or not figure.noun or not other.noun or {figure.noun, other.noun} & stop:
        return True
    # Anywhere in the passage: "40 full-time employees" has another word behind its number.
    return concept(figure.noun) in passage.concepts
