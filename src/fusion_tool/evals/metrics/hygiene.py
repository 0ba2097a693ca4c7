"""Hygiene: how many of an arm's answers have a fault of form, and how well they cite."""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from fusion_tool.evals.answer_checks import Hygiene
from fusion_tool.evals.report.section import ReportSection
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow

if TYPE_CHECKING:
    from fusion_tool.evals.summary import ArmSummary


class ArmHygiene(BaseModel):
    """The hygiene of an arm's answers.

    Args:
        answers: Number of answers.
        empty: How many are empty; `truncated`, `reasoning_leaked`, `meta_text` likewise.
        citations_per_1000_words: Citations for each thousand words; `None` where there are no words.
        supported: Share of the audited citations that their sources support, 0 to 1; `None` where none was audited.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: int
    empty: int
    truncated: int
    reasoning_leaked: int
    meta_text: int
    citations_per_1000_words: float | None
    supported: float | None


def compute(results: Results, rows: Sequence[AnswerRow]) -> ArmHygiene:  # noqa: ARG001 - a metric's signature
    """Return the hygiene of an arm's answers; rows without an answer do not count.

    Args:
        results: The folder.
        rows: The arm's rows, one for each task.
    """
    return arm_hygiene(row.hygiene for row in rows if row.reason is None)


def arm_hygiene(answers: Iterable[Hygiene]) -> ArmHygiene:
    """Return the sum of `answers`."""
    rows = list(answers)
    # Over the words and citations of all answers, not as a mean of shares: an answer of three words and one citation
    # would count as much as a page.
    words, verdicts = sum(row.words for row in rows), [support for row in rows for support in row.support or ()]
    return ArmHygiene(
        answers=len(rows),
        empty=sum(row.empty for row in rows),
        truncated=sum(row.truncated for row in rows),
        reasoning_leaked=sum(row.reasoning_leaked for row in rows),
        meta_text=sum(row.meta_text for row in rows),
        citations_per_1000_words=sum(row.citations for row in rows) / words * 1000 if words else None,
        supported=fmean(support == "supported" for support in verdicts) if verdicts else None,
    )


def section(arms: "Sequence[ArmSummary]") -> ReportSection:
    """Return the table of faults, a row for each arm."""
    columns = (
        "arm",
        "answers",
        "empty",
        "cut off",
        "thinks aloud",
        "talks of itself",
        "citations a 1,000 words",
        "supported",
    )
    rows = [
        (
            arm.name,
            *(str(count) for count in (h.answers, h.empty, h.truncated, h.reasoning_leaked, h.meta_text)),
            "-" if h.citations_per_1000_words is None else f"{h.citations_per_1000_words:.1f}",
            "-" if h.supported is None else f"{h.supported:.0%}",
        )
        for arm in arms
        for h in (arm.metrics["hygiene"],)
    ]
    return ReportSection("hygiene", "Hygiene", columns, rows)
