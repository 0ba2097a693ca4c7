"""What says nothing in a judge's reply: bare letters, the prompt's example, disputes in which nobody disputes."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from fusion_tool.graph.result import Contradiction, PartialCoverage, Stance, UniqueInsight, UnsupportedClaim
from fusion_tool.grounding.closed_answers.compare import is_one_answer
from fusion_tool.grounding.closed_answers.question import options

RowT = TypeVar("RowT")

_LETTERS = re.compile(
    r"(?:answers?\s+)?[(\[]?[A-K][)\]]?(?:(?:\s*[,;/&]\s*|\s+(?:and|or)\s+)(?:and\s+|answer\s+)?[(\[]?[A-K][)\]]?)*[.:]?",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"(?:answer\s+)?[A-K]\s+(?:says|states|claims|gives|reports|answers)(?:\s+that)?[:,]?\s+", re.IGNORECASE
)
_MARKS = re.compile(r"[^\w.,%$€£¥-]+|[.,]+(?=\s|$)")
_FEWEST_STANCES = 2


def example(letters: Sequence[str]) -> dict[str, Any]:
    """Return a judge's reply about another matter, in which each list has an item.

    Args:
        letters: The answers' letters; with a single one there is no dispute.
    """
    first, last = letters[0], letters[-1]
    stances = [{"model": first, "stance": "on cool hills"}, {"model": last, "stance": "in warm valleys"}]
    return {
        "consensus": ["The fern tea of Quorn is picked by hand."],
        "contradictions": [{"topic": "where fern tea grows best", "stances": stances}] if first != last else [],
        "partial_coverage": [{"models": [first], "point": "Quorn's first fern tea was sold in 1872."}],
        "unique_insights": [{"model": last, "insight": "Fern tea is dried for nine days in Quorn."}],
        "blind_spots": ["what fern tea costs in Quorn"],
        "unsupported_claims": [
            {"model": last, "claim": "Quorn's warm valleys give the best fern tea.", "why": "Its source says hills."}
        ],
    }


_EXAMPLE = {
    "where fern tea grows best",
    *(str(example("AB")[name][0]) for name in ("consensus", "blind_spots")),
    *(
        str(example("AB")[name][0][field])
        for name, field in (
            ("partial_coverage", "point"),
            ("unique_insights", "insight"),
            ("unsupported_claims", "claim"),
        )
    ),
}


def without_noise(rows: Iterable[RowT], question: str) -> list[RowT]:
    """Return the rows that say something of the answers.

    Args:
        rows: One list of a judge's reply.
        question: What was asked; where it offers choices, a letter says something.
    """
    has_options = bool(options(question))
    return [
        row for row in rows if (text := _text(row)) not in _EXAMPLE and (has_options or not _LETTERS.fullmatch(text))
    ]


def real_disputes(rows: Sequence[Contradiction], question: str) -> list[Contradiction]:
    """Return the disputes of which at least two stances differ, without stances that say nothing.

    One that names no stance at all stays: that there is a dispute is known, and who holds what is not.

    Args:
        rows: The disputes of a judge's reply.
        question: What was asked.
    """
    has_options = bool(options(question))
    disputes = [
        row.model_copy(update={"stances": [stance for stance in row.stances if has_options or _says_something(stance)]})
        for row in rows
        if row.topic not in _EXAMPLE
    ]
    topics = {row.topic for row in rows if not row.stances}
    return [
        row
        for row in disputes
        if row.topic in topics or (len(row.stances) >= _FEWEST_STANCES and not _agree(row.stances, question))
    ]


def _says_something(stance: Stance) -> bool:
    # Another letter than its own may be a blood group: only what names an answer is none.
    text = stance.stance.strip()
    is_own = text.strip("()[].: ").upper() == stance.model.strip("()[].: ").upper()[-1:]
    return not is_own and not (_LETTERS.fullmatch(text) and text.lower().startswith("answer"))


def _agree(stances: Sequence[Stance], question: str) -> bool:
    texts = [_SAYS.sub("", stance.stance.strip()) for stance in stances]
    if len({" ".join(_MARKS.sub(" ", text).casefold().split()) for text in texts}) == 1:
        return True
    return is_one_answer(question, texts)


def _text(row: Any) -> str:
    match row:
        case PartialCoverage():
            return row.point.strip()
        case UniqueInsight():
            return row.insight.strip()
        case UnsupportedClaim():
            return row.claim.strip()
        case _:
            return str(row).strip()
