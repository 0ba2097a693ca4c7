"""`evaluate`: ask and grade into a results folder, or go on where an earlier process stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusion_tool.config.installation import check_installed
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.costs import Purse, bill_of, grading_usd
from fusion_tool.evals.graders.grade import check_judge, grade_all, wanted
from fusion_tool.evals.results import Results
from fusion_tool.evals.runner import Asked, Watcher, answer_all, check_arms, pending
from fusion_tool.evals.storage import working_on
from fusion_tool.evals.tasks import TaskSet


@dataclass(frozen=True)
class Terms:
    """How an evaluation is carried out.

    Args:
        judge: Who grades by rubric; `None`: nobody.
        passes: Verdicts a criterion.
        concurrency: Runs at once; of verdicts twice as many.
        usd: What the folder may cost in all, earlier commands included; `None` for no limit.
        limit: Only the first so many tasks.
        seats: Grade the seats' answers too.
        allow_unpriced: Let a judge without a known price work under `usd`.
    """

    judge: Panelist | None = None
    passes: int = 1
    concurrency: int = 4
    usd: float | None = None
    limit: int | None = None
    seats: bool = False
    allow_unpriced: bool = False


async def evaluate(
    folder: Path, tasks: TaskSet, arms: Sequence[Arm], terms: Terms, watcher: Watcher | None = None
) -> tuple[Results, Asked]:
    """Let `arms` answer `tasks`, and grade what they answer, into `folder`; what is paid for is not paid again.

    Args:
        folder: New, or of the same task set.
        tasks: They.
        arms: They; those that the folder knows already stay beside them.
        terms: How.
        watcher: Told how it goes.

    Raises:
        ConfigError: An arm or the judge cannot work here, the folder is another task set's or in use, or the extra
            `evals` is not installed; before anything is spent.
        FusionError: The folder cannot be written; what was written before is kept.
    """
    check_installed()
    limited, watcher = terms.usd is not None, watcher or Watcher()
    await check_arms(arms, limited=limited)
    if terms.judge:
        check_judge(terms.judge, limited=limited, allow_unpriced=terms.allow_unpriced)
    with working_on(folder):
        results = Results.begin(folder, tasks, list(arms))
        if terms.judge:
            results.note(judge=terms.judge.model_dump(mode="json"), passes=terms.passes)
        purse = Purse(terms.usd, bill_of(results).total.cost_usd or 0.0, _owed(results, terms))
        chosen = tasks.tasks[: terms.limit]
        watcher.begins("answers", len(pending(results, arms, chosen)))
        asked = await answer_all(
            results, arms, chosen, purse=purse, concurrency=terms.concurrency, judge=terms.judge, watcher=watcher
        )
        if terms.judge:
            await _grade(results, terms, purse, watcher)
    return results, asked


async def regrade(folder: Path, terms: Terms, watcher: Watcher | None = None) -> Results:
    """Grade what `folder` holds, by `terms.judge` or the judge it has; verdicts that are there stay.

    Raises:
        ConfigError: There is no judge, he cannot be asked, or the folder holds no results.
        FusionError: As `evaluate`.
    """
    check_installed()
    with working_on(folder):
        results = Results.resumed(folder)
        judge = terms.judge or results.manifest.judge_model
        if judge is None:
            raise ConfigError("nobody is to grade: name a judge, --judge PROVIDER:MODEL", field="judge")
        check_judge(judge, limited=terms.usd is not None, allow_unpriced=terms.allow_unpriced)
        results.note(judge=judge.model_dump(mode="json"), passes=terms.passes)
        spent = bill_of(results).total.cost_usd or 0.0
        await _grade(results, terms, Purse(terms.usd, spent), watcher or Watcher())
    return results


async def _grade(results: Results, terms: Terms, purse: Purse, watcher: Watcher) -> None:
    texts = wanted(results, seats=terms.seats)
    watcher.begins("verdicts", sum(text.missing(results.manifest.passes) for text in texts))
    if purse.left == 0.0:
        return
    await grade_all(results, texts, concurrency=2 * terms.concurrency, session=purse.session, watcher=watcher)


def _owed(results: Results, terms: Terms) -> float:
    """What the grading of the answers that are there may take."""
    if terms.judge is None or terms.usd is None:
        return 0.0
    return sum(grading_usd(text.task, terms.judge, terms.passes) for text in wanted(results, seats=terms.seats))
