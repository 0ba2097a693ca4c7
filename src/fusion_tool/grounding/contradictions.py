"""Contradictions: where a passage says of the claim's matter something else than the claim."""

import re
from collections.abc import Iterator
from itertools import pairwise

from fusion_tool.grounding.passages import SourceIndex, Statement, coverage_of, parse_statement
from fusion_tool.grounding.quantities import Quantity, quantities_agree
from fusion_tool.grounding.wording import (
    concept,
    content_words,
    is_english,
    is_named_in,
    is_quoted_in,
    lexicon,
    negated_concepts,
    words,
)

_SAME_BUT_NAME = 0.5
_SAME_BUT_OPPOSITE = 0.6
"""Shares of the claim's content words that a sentence must hold to say the same of somebody else, or the contrary."""

_RELATIVE = re.compile(r"\s+(?:after|before|later|earlier|ago|since|apart)\b")
_CLAUSE_END = re.compile(
    r"[;:\n()|.](?!\d)|,(?!\d)|\b(?:while|whereas|and|but|compared|against|versus|once|when|after|before|since)\b"
)
_PER = re.compile(r"\s?(?:per|/)\s?((?:\d[\w-]*[\s-])?[^\W\d][\w-]*)")
_MORE_OR_LESS = re.compile(r"\b(more|less|fewer)\s+(?!than\b|or\b|of\b)([a-z]+)", re.IGNORECASE)
_PRESENT = re.compile(r"\b(?:is|are|now|today|currently|has|stands)\b")
_PAST = re.compile(r"\b(?:was|were|had|from|until|before|previously|formerly|earlier|used to|initially|once|then)\b")
_SPEECH = r"said|says|called|calls|described|describes|wrote|writes|told|argued|argues|added|stated|put it|according to"
_BE = frozenset({"is", "are", "was", "were", "be", "been", "being"})
_BEFORE_FIGURE = 12
_TELLING_DIGITS = 3
"""Characters of a number's digits, the point included, that two figures seldom share by chance."""

_CLAUSE = re.compile(r"[;\n()]|,(?!\d)|\b(?:while|whereas|and|but|compared|against|versus)\b")


def has_other_name(claim: Statement, nearest: Statement, topic: set[str], source: SourceIndex) -> bool:
    """Tell whether the nearest sentence says the same of a name that the claim does not have.

    A name that stands elsewhere in the source may only be called otherwise here ("the company"); it counts
    as another's only between full names.
    """
    # Where each noun is written large, a capital tells no name.
    if not is_english(claim.text):
        return False
    own, here = frozenset(words(claim.text)), frozenset(words(nearest.text))
    # A name that both have shows that the sentence is not about somebody else: at most a list is longer.
    if len(claim.names) > 1 and any(is_named_in(name, nearest.text, here) for name in claim.names):
        return False
    others = [name for name in nearest.names if not is_named_in(name, claim.text, own)]
    for name in claim.names:
        if is_named_in(name, nearest.text, here):
            continue
        elsewhere = is_named_in(name, source.text, source.words)
        rivals = [other for other in others if " " in other] if elsewhere else others
        if elsewhere and " " not in name:
            continue
        rest = topic - {concept(word) for word in words(name)}
        if rivals and rest and coverage_of(rest, nearest) >= _SAME_BUT_NAME:
            return True
    return False


def has_other_speaker(claim: Statement, quote: str, source: SourceIndex) -> bool:
    """Tell whether the claim gives a quotation to one person and the source's sentence to another."""
    speakers = [name for name in claim.names if _speaks(name, claim.text)]
    place = next((part for part in source.sentences if is_quoted_in(quote, part)), None)
    if not speakers or place is None:
        return False
    here, own = frozenset(words(place)), frozenset(words(claim.text))
    others = [name for name in parse_statement(place).names if _speaks(name, place)]
    return not any(is_named_in(name, place, here) for name in speakers) and any(
        not is_named_in(name, claim.text, own) for name in others
    )


def _speaks(name: str, text: str) -> bool:
    return bool(
        re.search(
            rf"{re.escape(name)}\W+(?:\w+\W+){{0,4}}?(?:{_SPEECH})\b|(?:{_SPEECH})\W+(?:\w+\W+){{0,4}}?{re.escape(name)}",
            text,
        )
    )


def is_rival(figure: Quantity, other: Quantity, claim: Statement) -> bool:
    """Tell whether `other` is what the source gives in place of the claim's `figure`."""
    if any(quantities_agree(mine, other) for mine in claim.quantities if mine is not figure):
        return False
    # "Three years later" may be computed from the source's dates; a duration that the source gives is no rival to it.
    if figure.dimension == "time" and _RELATIVE.match(claim.text, figure.end):
        return False
    # The same digits with another power of ten: "3.2 x 10^6" read as 3.2 x 10^9, and never another matter's figure.
    if _has_same_digits(figure, other):
        return True
    # In another dimension the same number is the unit mistaken, "5 km" for "5 kg"; any other number is another matter.
    if figure.dimension != other.dimension:
        return bool(figure.dimension and other.dimension) and figure.value == other.value
    return bool(figure.dimension) or concept(figure.noun) == concept(other.noun)


def is_misplaced(figure: Quantity, passage: Statement, claim: Statement, topic: set[str]) -> bool:
    """Tell whether the passage gives the figure, but in a clause about something else that has its own figure."""
    is_alone = not any(figure.dimension == other.dimension for other in claim.quantities if other is not figure)
    if not (figure.dimension and is_alone and any(quantities_agree(figure, other) for other in passage.quantities)):
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


def _has_same_digits(figure: Quantity, other: Quantity) -> bool:
    if figure.dimension != other.dimension or figure.value * other.value <= 0 or figure.value == other.value:
        return False
    digits = f"{figure.value:.12e}".partition("e")[0]
    return digits == f"{other.value:.12e}".partition("e")[0] and len(digits.rstrip("0")) > _TELLING_DIGITS


def have_swapped_figures(claim: Statement, passage: Statement) -> bool:
    """Tell whether two figures of the claim have changed places: "A 5 and B 7" for "A 7 and B 5"."""
    pairs = [
        (figure, other)
        for figure in claim.quantities
        for other in passage.quantities
        if quantities_agree(figure, other)
    ]
    for i, (first, first_there) in enumerate(pairs):
        for second, second_there in pairs[i + 1 :]:
            if first.start == second.start or first_there.start == second_there.start:
                continue
            if first.dimension != second.dimension or quantities_agree(first, second):
                continue
            ours = _contexts(claim, first, second)
            theirs = _contexts(passage, first_there, second_there)
            straight = len(ours[0] & theirs[0]) + len(ours[1] & theirs[1])
            crossed = len(ours[0] & theirs[1]) + len(ours[1] & theirs[0])
            if crossed > straight and ours[0] & theirs[1] and ours[1] & theirs[0]:
                return True
    return False


def _contexts(statement: Statement, first: Quantity, second: Quantity) -> tuple[set[str], set[str]]:
    """Return the words that stand with the first of two figures and not with the second, and the reverse."""
    parts = [_clause_around(statement.text, figure) for figure in (first, second)]
    one, two = (set(content_words(part)) for part in parts)
    return one - two, two - one


def _clause_around(text: str, figure: Quantity) -> str:
    start = max((stop.end() for stop in _CLAUSE_END.finditer(text, 0, figure.start)), default=0)
    stop = _CLAUSE_END.search(text, figure.end)
    return text[start : stop.start() if stop else len(text)]


def has_other_rate(claim: Statement, passage: Statement) -> bool:
    """Tell whether both give a figure, but per something else: "$3 per bag" for "$3 per kilogram"."""
    for figure in claim.quantities:
        ours = _PER.match(claim.text, figure.end)
        same = [other for other in passage.quantities if quantities_agree(figure, other)]
        theirs = [rate for other in same if (rate := _PER.match(passage.text, other.end))]
        if ours and theirs and len(theirs) == len(same):
            keys = set(content_words(ours[1]))
            if keys and all(keys.isdisjoint(content_words(rate[1])) for rate in theirs):
                return True
    return False


def turns_change_round(claim: Statement, passage: Statement) -> bool:
    """Tell whether the claim says "from A to B" where the passage says "to A from B", or that A holds now."""
    there = list(_changes(passage)) if len(passage.quantities) > 1 else []
    if not there:
        return False
    if _PRESENT.search(claim.text) and not _PAST.search(claim.text):
        own = claim.quantities
        for before, after in there:
            has_after = any(quantities_agree(figure, after) for figure in own)
            if not has_after and any(quantities_agree(figure, before) for figure in own):
                return True
    return any(
        quantities_agree(start, end_there) and quantities_agree(end, start_there)
        for start, end in _changes(claim)
        for start_there, end_there in there
        if not quantities_agree(start, end)
    )


def _changes(statement: Statement) -> Iterator[tuple[Quantity, Quantity]]:
    """Yield each pair of figures between which something changed: the one before and the one after."""
    for left, right in pairwise(statement.quantities):
        before = statement.text[max(0, left.start - _BEFORE_FIGURE) : left.start]
        between = statement.text[left.end : right.start]
        if re.search(r"\bfrom\W*$", before) and re.fullmatch(r"[^.;]{0,12}\bto\W*", between):
            yield left, right
        elif re.search(r"\bto\W*$", before) and re.fullmatch(r"[^.;]{0,20}\bfrom\W*", between):
            yield right, left


def have_swapped_roles(claim: Statement, nearest: Statement) -> bool:
    """Tell whether who does something and to whom are exchanged: "A replaces B" for "B replaces A"."""
    return any(
        verb == verb_there and doer & other_there and other & doer_there and not doer & doer_there
        for verb, doer, other in _roles(claim.text)
        for verb_there, doer_there, other_there in _roles(nearest.text)
    )


def _roles(text: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield each action of `text` that has a direction: its concept, the words for who does it, and to whom."""
    verbs = lexicon().directed
    for clause in _CLAUSE_END.split(text):
        tokens = words(clause)
        for i, word in enumerate(tokens):
            if concept(word) not in verbs:
                continue
            left, right = (set(content_words(" ".join(part))) for part in (tokens[:i], tokens[i + 1 :]))
            is_passive = "by" in tokens[i + 1 : i + 3] or (i and tokens[i - 1] in _BE and "to" in tokens[i + 1 : i + 2])
            if left and right:
                yield (concept(word), right, left) if is_passive else (concept(word), left, right)


def is_contrary(claim: Statement, nearest: Statement, topic: set[str]) -> bool:
    """Tell whether one of the two negates what the other asserts, or says its opposite."""
    opposites = lexicon().opposites
    ours, theirs = claim.concepts.keys(), nearest.concepts.keys()
    # A text that holds a word and its opposite, "rose, then fell", contradicts neither.
    swaps = {key for key in ours & opposites.keys() - theirs if opposites[key] & theirs and not opposites[key] & ours}
    if len(topic & (theirs | swaps)) < _SAME_BUT_OPPOSITE * len(topic):
        return False
    if _compares_contrarily(claim.text, nearest.text):
        return True
    our_negative, our_positive = negated_concepts(claim.text)
    their_negative, their_positive = negated_concepts(nearest.text)
    # "Did not rise" agrees with "fell": opposites contradict each other where neither of them is negated, or both are.
    if swaps:
        return all((key in our_negative) == bool(opposites[key] & their_negative) for key in swaps)
    # Both deny something: which words a negation governs is too uncertain to tell them apart.
    if our_negative and their_negative:
        return False
    # Only concepts that are purely negative in one text and purely positive in the other.
    return bool(
        (our_negative - our_positive) & (their_positive - their_negative)
        or (their_negative - their_positive) & (our_positive - our_negative)
    )


def _compares_contrarily(claim: str, nearest: str) -> bool:
    """Tell whether one calls "more" of something what the other calls "less"."""
    ours, theirs = dict(_comparatives(claim)), dict(_comparatives(nearest))
    shared = ours.keys() & theirs.keys()
    return any(ours[key] != theirs[key] for key in shared)


def _comparatives(text: str) -> Iterator[tuple[str, bool]]:
    for match in _MORE_OR_LESS.finditer(text):
        yield concept(match[2].lower()), match[1].lower() == "more"
