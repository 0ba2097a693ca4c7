"""Co-failure: how often all seats of a panel are wrong together, and the oracle, what the best choice among them gets.

No router, judge or vote that only chooses among the seats' answers is right more often than the oracle, which is 1 less
the co-failure rate (arXiv:2606.27288). A synthesizer may pass it: it can be right where nobody else was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_tool.evals.graders.reference import match_reference
from fusion_tool.evals.report.section import ReportSection, format_share_interval
from fusion_tool.evals.results import Results
from fusion_tool.evals.rows import AnswerRow
from fusion_tool.evals.statistics import Interval, share_of

if TYPE_CHECKING:
    from fusion_tool.evals.summary import ArmSummary


@dataclass(frozen=True)
class CoFailure:
    """What the seats of one arm got right, over the tasks that have a reference.

    Args:
        tasks: Number of tasks on which the panel answered.
        all_wrong: On how many of them no seat was right; a seat without an answer is not.
        oracle: On how many at least one seat was.
        best_seat: On how many the best single seat was right.
        answer: On how many the arm's own answer was.
        interval: Clopper and Pearson's of the share on which all were wrong; `None` without tasks.
    """

    tasks: int
    all_wrong: int
    oracle: int
    best_seat: int
    answer: int
    interval: Interval | None


def compute(results: Results, rows: Sequence[AnswerRow]) -> CoFailure | None:
    """Return how often an arm's seats were wrong together.

    `None` where no panel answered a task that has a reference. Where seats differ from task to task, as a router's do,
    the best of them is the best by its place in the panel.

    Args:
        results: The folder.
        rows: The arm's rows, one for each task.
    """
    tasks = {task.id: task for task in results.tasks.tasks if task.reference}
    seats_right, answers_right = list[dict[str, bool]](), 0
    for row in rows:
        task = tasks.get(row.task)
        if task is None or row.reason is not None or row.result is None or len(row.result.plan.seats) < 2:  # noqa: PLR2004 - one seat is no panel
            continue
        # Of the last wave, as the answer was made from it.
        said = {response.seat: response.content for response in row.result.responses}
        seats_right.append({seat: match_reference(task, text).right for seat, text in said.items()})
        answers_right += match_reference(task, row.answer).right
    if not seats_right:
        return None
    all_wrong = sum(not any(right.values()) for right in seats_right)
    seats = {seat for right in seats_right for seat in right}
    best = max((sum(right.get(seat, False) for right in seats_right) for seat in seats), default=0)
    total, interval = len(seats_right), share_of(all_wrong, len(seats_right), method="exact")
    return CoFailure(total, all_wrong, total - all_wrong, best, answers_right, interval)


def section(arms: "Sequence[ArmSummary]") -> ReportSection:
    """Return the table of co-failure, a row for each panel."""
    rows = [
        (
            arm.name,
            f"{found.tasks}",
            f"{found.all_wrong / found.tasks:.1%}",
            format_share_interval(found.interval),
            *(f"{right / found.tasks:.1%}" for right in (found.oracle, found.best_seat, found.answer)),
        )
        for arm in arms
        if (found := _of(arm))
    ]
    columns = ("panel", "tasks", "all seats wrong", "interval", "oracle", "best seat", "its answer")
    title = "How often all seats are wrong together (tasks with a reference); no choice among them passes the oracle"
    return ReportSection("co_failure", title, columns, rows, short_title="All seats wrong together")


def _of(arm: "ArmSummary") -> CoFailure | None:
    found: CoFailure | None = arm.metrics["co_failure"]
    return found
