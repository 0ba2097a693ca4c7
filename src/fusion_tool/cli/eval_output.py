"""The output of an evaluation in the terminal: a bar for each phase, the findings, and the exit status."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from fusion_tool.budget.usage import Call
from fusion_tool.cli import terminal
from fusion_tool.cli.errors import NO_BUDGET
from fusion_tool.evals.costs import eval_bill
from fusion_tool.evals.graders.grade import ungraded_texts
from fusion_tool.evals.report.section import ReportSection
from fusion_tool.evals.report.tables import report_sections
from fusion_tool.evals.results import Results
from fusion_tool.evals.runner import EvalProgress, Phase, RunCounts
from fusion_tool.evals.summary import Summary, summarize
from fusion_tool.events import format_cost, format_usd, one_line


@contextmanager
def progress_bars() -> Iterator[EvalProgress]:
    """Yield a watcher that shows a bar for each phase; where stderr is no terminal, only the last state is printed."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=terminal.stderr())
    try:
        yield _Bars(progress)
    finally:
        if progress.live.is_started:  # else rich prints an empty line for bars that never were
            progress.stop()


class _Bars(EvalProgress):
    def __init__(self, progress: Progress) -> None:
        self._progress, self._bar = progress, TaskID(0)
        self._spent: float | None = None

    def start_phase(self, phase: Phase, total: int) -> None:
        self._spent = None
        # Not before: what is refused at the start is an error of one line, without a bar above it.
        self._progress.start()
        self._bar = self._progress.add_task(phase, total=total, spent="")

    def advance(self) -> None:
        self._progress.update(self._bar, advance=1)

    def add_calls(self, calls: Sequence[Call]) -> None:
        costs = [call.cost_usd for call in calls if call.cost_usd is not None]
        # Nothing is shown before the first known cost: $0.0000 would be taken for one.
        if costs:
            self._spent = (self._spent or 0.0) + sum(costs)
            self._progress.update(self._bar, spent=format_usd(self._spent))


def print_summary(summary: Summary, console: Console) -> None:
    """Print an evaluation's findings, section by section."""
    for section in report_sections(summary):
        console.print(f"\n{section.title}", style="bold", soft_wrap=True)
        if section.columns:
            console.print(_table(section))
        for sentence in section.sentences:
            console.print(f"- {one_line(sentence, 600)}", soft_wrap=True)


def _table(section: ReportSection) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(section.columns):
        justify: Literal["left", "right"] = "right" if place else "left"
        table.add_column(one_line(name), justify=justify, overflow="fold")
    for row in section.rows:
        table.add_row(*(one_line(cell) for cell in row))
    return table


def finish_eval(results: Results, counts: RunCounts | None = None) -> int:
    """Print the findings, the bill and the next step of an evaluation.

    Args:
        results: The results folder.
        counts: How the runs of this call ended; `None` where it only graded.

    Returns:
        The exit status: 4 where the limit in dollars left runs out.
    """
    print_summary(summarize(results), terminal.stdout())
    console, bill = terminal.stderr(), eval_bill(results).total
    if counts is not None:
        failed = sum(counts.failed.values())
        failures = f", {failed} without an answer, which the same command tries again" if failed else ""
        console.print(f"answered: {counts.answered}{failures}", soft_wrap=True)
    console.print(f"paid so far: {format_cost(bill.cost_usd, bill.unpriced_calls)}", soft_wrap=True)
    console.print(f"pages and Markdown: fusion-tool eval report {results.folder} --html report.html", soft_wrap=True)
    if results.manifest.judge and (
        missing := sum(text.missing(results.manifest.passes) for text in ungraded_texts(results))
    ):
        again = f"missing: {missing} verdicts; 'fusion-tool eval grade {results.folder}' asks for them again"
        console.print(again, style="yellow", soft_wrap=True)
    if counts is not None and counts.not_begun:
        hint = f"not begun: {counts.not_begun} runs, each of which could have passed --max-usd; a higher one goes on, "
        hint += "and an arm's usd=LIMIT lowers what its runs could take"
        console.print(hint, style="yellow", soft_wrap=True)
        return NO_BUDGET
    return 0
