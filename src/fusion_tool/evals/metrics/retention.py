"""Retention: of the criteria that a number of seats met, how many the fused answer meets."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_tool.evals.graders.rubric import Verdict
from fusion_tool.evals.report.charts import Chart, draw_shares
from fusion_tool.evals.report.section import ReportSection, format_share_interval
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow, digest
from fusion_tool.evals.statistics import Interval, share_of

if TYPE_CHECKING:
    from fusion_tool.evals.summary import ArmSummary


@dataclass(frozen=True)
class RetentionRow:
    """The criteria that the same number of seats met.

    Args:
        seats: How many seats met each of them.
        criteria: How many there are.
        met: How many of them the fused answer meets.
    """

    seats: int
    criteria: int
    met: int

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval of the share met."""
        return share_of(self.met, self.criteria)


@dataclass(frozen=True)
class Retention:
    """One row for each number of seats that met a criterion, from none to all."""

    rows: Sequence[RetentionRow]


def compute(results: Results, rows: Sequence[AnswerRow]) -> Retention | None:
    """Return the retention over an arm's answers; `None` where no seat was graded.

    Only merits count (a positive weight), and only where the fused answer and every seat have a verdict. Of several
    passes the majority decides; a tie is not met.

    Args:
        results: The folder.
        rows: The arm's rows, one for each task.
    """
    verdicts, tasks = results.known_verdicts(), {task.id: task for task in results.tasks.tasks}
    counts: defaultdict[int, list[bool]] = defaultdict(list)
    for row in rows:
        if row.reason is not None:
            continue
        # By the text's digest, as verdicts are stored: they do not say whose text it was.
        seats = [_met_criteria(verdicts.get((row.task, digest(text)), ())) for text in row.seat_texts().values()]
        fused = _met_criteria(verdicts.get((row.task, digest(row.text)), ()))
        if len(seats) < 2 or row.task not in tasks:  # noqa: PLR2004 - one seat alone leaves nothing to keep
            continue
        # Flaws (a negative weight) are left out: to keep one of the seats' flaws is no merit of an answer.
        for criterion in tasks[row.task].rubric:
            answer_met, *seats_met = (met.get(criterion.id) for met in (fused, *seats))
            if criterion.weight > 0 and None not in (answer_met, *seats_met):
                counts[sum(map(bool, seats_met))].append(bool(answer_met))
    return Retention([RetentionRow(n, len(met), sum(met)) for n, met in sorted(counts.items())]) if counts else None


def section(arms: "Sequence[ArmSummary]") -> ReportSection:
    """Return the table of retention, a row for each arm and number of seats."""
    rows = [
        (
            arm.name,
            f"{row.seats}",
            f"{row.criteria}",
            f"{row.met}",
            f"{row.met / row.criteria:.0%}",
            format_share_interval(row.interval),
        )
        for arm in arms
        for row in _rows_of(arm)
    ]
    columns = ("arm", "met by seats", "criteria", "met by the answer", "share", "interval")
    title = "What the answer keeps of what its seats had (merits alone)"
    return ReportSection("retention", title, columns, rows, short_title="What the answer keeps")


def charts(arms: "Sequence[ArmSummary]") -> list[Chart]:
    """Draw, for each arm whose seats were graded, the share of criteria that its answer meets."""
    drawings = []
    for arm in arms:
        shares = [(f"met by {row.seats} seats", row.met, row.criteria, row.interval) for row in _rows_of(arm)]
        if svg := draw_shares(f"Criteria that the answer of {arm.name} meets", shares):
            caption = f"{arm.name}: share of criteria that the answer meets, by how many of its seats met them."
            drawings.append(Chart(svg, caption))
    return drawings


def _rows_of(arm: "ArmSummary") -> Sequence[RetentionRow]:
    retention: Retention | None = arm.metrics["retention"]
    return retention.rows if retention else ()


def _met_criteria(verdicts: Iterable[Verdict]) -> dict[str, bool]:
    votes: defaultdict[str, list[bool]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.met is not None:
            votes[verdict.criterion].append(verdict.met)
    return {criterion: sum(passes) * 2 > len(passes) for criterion, passes in votes.items()}
