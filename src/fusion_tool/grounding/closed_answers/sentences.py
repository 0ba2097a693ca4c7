"""The one value that sentences state: "The final cost was 497 million." answers what the final cost was.

Strict, since nobody would notice a false agreement: only where the question asks for one quantity, date or name, and
only in sentences that say nothing but what was asked and one such value. Whatever else they say may make it the value
of something else; such answers are left to a judge.
"""

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from fusion_tool.grounding.closed_answers.question import ExpectedAnswer
from fusion_tool.grounding.closed_answers.terms import Value
from fusion_tool.grounding.closed_answers.values import parse_value
from fusion_tool.grounding.framing import strip_lead_in
from fusion_tool.grounding.passages import Statement, parse_statement, split_sentences
from fusion_tool.grounding.quantities import quantities_agree
from fusion_tool.grounding.wording import concept, is_english, is_hedged, is_named_in, lexicon, normalize_text, words

_Kind: TypeAlias = Literal["quantity", "date", "name"]

_MOST_SENTENCES = 4
_MEASURES = (
    "cost|costs|price|fee|height|length|width|depth|weight|mass|age|distance|duration|speed|temperature|number|amount"
    "|population|area|size|capacity|revenue|profit|loss|salary|score|rate|percentage|share|value|volume|budget|limit"
)
_ASKS: tuple[tuple[_Kind, re.Pattern[str]], ...] = (
    (
        "date",
        re.compile(r"(?:when|(?:in|on|since|until|by)?\s*(?:what|which)\s+(?:year|date|day|month))\b", re.IGNORECASE),
    ),
    (
        "quantity",
        re.compile(
            r"how\s+(?:many|much|long|far|tall|high|deep|wide|old|heavy|large|big|fast|hot|cold)\b"
            rf"|what\s+(?:is|was|were|are)\s+(?:\S+\s+){{0,4}}?(?:{_MEASURES})\b|what\s+did\s.+\scost\b",
            re.IGNORECASE,
        ),
    ),
    (
        "name",
        re.compile(
            r"who\b(?!se)|(?:what|which)\s+(?:city|town|country|company|person|river|mountain|team|author|architect)\b"
            r"|what\s+(?:is|was)\s+the\s+(?:capital|name)\b",
            re.IGNORECASE,
        ),
    ),
)
"""How a question begins that asks for one of each kind."""
_DOUBT = re.compile(
    r"\b(?:not|no|none|never|nor|neither|cannot|without|n't|or|either|but|however|although|though|while|whereas|unless|if"
    r"|unclear|unknown|uncertain|disput\w+|disagree\w*|differ\w*|conflict\w*|contradict\w*|instead|rather|others?|another"
    r"|earlier|later|previous\w*|former\w*|original\w*|initial\w*|revised|correct\w*|wrong\w*|mistak\w+|errors?|some"
    r"|estimat\w+|project(?:ed|ions?)|plann\w+|expect\w*|forecast\w*|would|could|should|might|about|around|nearly|almost"
    r"|approximately|roughly|over|under|more|less|fewer|than|least|most|up|only|until|since|per|each|every|average)\b"
    r"|n't\b|~|≈",
    re.IGNORECASE,
)
"""Words that take something back, bound it or turn it to something else; one that the question has, too, does not."""
_TWOFOLD = re.compile(
    r"\b(?:and|or|than|more|less|between|versus|compared?|differences?|both|not|never|except|without|before|after|when|while"
    r"|during|since|until|that|which|who|whose|where)\b|n't\b",
    re.IGNORECASE,
)
"""What makes a question speak of two things, or of what is not: each could be what a sentence gives the value of."""
_HARMLESS = frozenset(
    map(
        concept,
        (
            *("amount", "come", "reach", "equal", "measure", "stand", "state", "record", "report", "note", "confirm"),
            *(
                "show",
                "document",
                "give",
                "list",
                "exactly",
                "year",
                "date",
                "answer",
                "according",
                "source",
                "sources",
            ),
        ),
    )
)
_SIGN = re.compile(r"(?:us\$|[$€£¥₹]|\b(?:usd|eur|gbp|chf|inr)\s|[-\u2212])\s?$", re.IGNORECASE)


def stated_answer(text: str, question: str, expected: ExpectedAnswer) -> tuple[str, Value] | None:
    """Return the only value of the kind that `question` asks for which the sentences of `text` state.

    Args:
        text: An answer without citations.
        question: The question.
        expected: What it says about the form of its answer.

    Returns:
        The value's words and the value; `None` where there is none, are several, or anything else is said with it.
    """
    kind = _kind_of(question, expected)
    if kind is None or not is_english(question):
        return None
    plain, asked = normalize_text(text), parse_statement(normalize_text(question))
    spans = split_sentences(plain)
    doubts = {match[0].lower() for match in _DOUBT.finditer(plain)} - set(words(question))
    if doubts or len(spans) > _MOST_SENTENCES or not is_english(plain) or is_hedged(plain):
        return None
    stated: dict[object, tuple[str, Value]] = {}
    for start, end in spans:
        statement = parse_statement(strip_lead_in(plain[start:end]))
        for part in _values(kind, statement, asked):
            value = parse_value(part, expected) if _says_nothing_else(kind, statement, asked, part) else None
            if value is None:
                return None
            stated[value.key] = (part, value)
    return next(iter(stated.values())) if len(stated) == 1 else None


def _kind_of(question: str, expected: ExpectedAnswer) -> _Kind | None:
    if expected.code or expected.options or expected.yes_or_no or expected.equation or expected.open:
        return None
    # The last sentence that asks: what stands before it may be a story.
    sentences = [part for part in re.split(r"(?<=[.?!])\s+", question.strip()) if part.endswith("?")]
    asking = sentences[-1] if len(sentences) == 1 else ""
    for kind, pattern in _ASKS:
        if (match := pattern.match(asking)) and not _TWOFOLD.search(asking, match.end()):
            # Who did it to whom is told by the order of words alone.
            is_directed = kind == "name" and any(concept(word) in lexicon().directed for word in words(asking))
            return None if is_directed else kind
    return None


def _values(kind: _Kind, statement: Statement, asked: Statement) -> Iterator[str]:
    """Yield the words of each value of the kind that the question does not hold itself."""
    match kind:
        case "date":
            known = {asked.text[date.start : date.end].lower() for date in asked.dates}
            # "The 1860s" is no year, and read as one it would be 1860.
            dates = ["" if date.decade else statement.text[date.start : date.end] for date in statement.dates]
            yield from (date for date in dates if date.lower() not in known)
        case "quantity":
            for figure in statement.quantities:
                if not any(quantities_agree(figure, other) for other in asked.quantities):
                    sign = _SIGN.search(statement.text[: figure.start])
                    start = sign.start() if sign else figure.start
                    around = statement.text[max(0, start - 1) : start], statement.text[figure.end : figure.end + 1]
                    # A part of something else, "1zm", "1/2", "5-fold", is no figure: as "" it is read as none.
                    is_apart = not around[0].strip(" (") and not around[1].strip(" .,;:!?)")
                    yield statement.text[start : figure.end].strip() if is_apart else ""
        case "name":
            here = frozenset(words(asked.text))
            yield from (name for name in statement.names if not is_named_in(name, asked.text, here))


def _says_nothing_else(kind: _Kind, statement: Statement, asked: Statement, value: str) -> bool:
    own = {concept(word) for word in words(value)} | {word for word in words(value) if word in statement.concepts}
    if statement.concepts.keys() - own - asked.concepts.keys() - _HARMLESS:
        return False
    # Another figure or date may be what the value belongs to: "497 million in 2019".
    others = [statement.text[part.start : part.end] for part in statement.dates if kind != "date"]
    others += [statement.text[part.start : part.end] for part in statement.quantities if kind != "quantity"]
    return all(other in asked.text for other in others)
