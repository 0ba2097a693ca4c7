"""Evaluations as a whole: `evaluate` runs and grades into a results folder or resumes one, `regrade` grades again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusion_tool.config.installation import require_extra
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ConfigError
from fusion_tool.evals.arms import Arm
from fusion_tool.evals.costs import EvalBudget, eval_bill, grading_usd
from fusion_tool.evals.graders.grade import check_judge, grade_all, ungraded_texts
from fusion_tool.evals.results import Results
from fusion_tool.evals.runner import EvalProgress, RunCounts, check_arms, pending_runs, run_arms
from fusion_tool.evals.storage import folder_lock
from fusion_tool.evals.tasks import TaskSet


@dataclass(frozen=True)
class EvalOptions:
    """The options of an evaluation.

    Args:
        judge: The model that grades by rubric; `None` for no grading.
        passes: Number of verdicts on each criterion.
        concurrency: Runs at once, and half of the verdicts at once.
        usd: US dollars that the folder may cost in all, earlier commands included; `None` for no limit.
        limit: Number of tasks, from the first; `None` for all.
        seats: Whether the seats' answers are graded, too.
        allow_unpriced: Whether a judge without a known price may work under `usd`.
    """

    judge: Panelist | None = None
    passes: int = 1
    concurrency: int = 4
    usd: float | None = None
    limit: int | None = None
    seats: bool = False
    allow_unpriced: bool = False


async def evaluate(
    folder: Path, tasks: TaskSet, arms: Sequence[Arm], options: EvalOptions, progress: EvalProgress | None = None
) -> tuple[Results, RunCounts]:
    """Let `arms` answer `tasks`, and grade the answers, into `folder`; what is paid for is not paid again.

    Args:
        folder: A new folder, or one of the same task set.
        tasks: The task set.
        arms: The arms to run; others in the folder stay as they are.
        options: Judge, passes and limits.
        progress: Receives the progress; `None` for none.

    Raises:
        ConfigError: An arm or the judge cannot work here, the folder is another task set's or in use, or the extra
            `evals` is not installed; before anything is spent.
        FusionError: The folder cannot be written; what was written before is kept.
    """
    require_extra("evals")
    # All checks come first: a wrong option must cost nothing, and leave no folder behind.
    limited, progress = options.usd is not None, progress or EvalProgress()
    await check_arms(arms, limited=limited)
    if options.judge:
        check_judge(options.judge, limited=limited, allow_unpriced=options.allow_unpriced)
    with folder_lock(folder):
        results = Results.begin(folder, tasks, list(arms))
        if options.judge:
            results.update_manifest(judge=options.judge.model_dump(mode="json"), passes=options.passes)
        budget = EvalBudget(options.usd, eval_bill(results).total.cost_usd or 0.0, _grading_cost(results, options))
        first_tasks = tasks.tasks[: options.limit]
        progress.start_phase("answers", len(pending_runs(results, arms, first_tasks)))
        counts = await run_arms(
            results,
            arms,
            first_tasks,
            budget=budget,
            concurrency=options.concurrency,
            judge=options.judge,
            progress=progress,
        )
        if options.judge:
            await _grade(results, options, budget, progress)
    return results, counts


async def regrade(folder: Path, options: EvalOptions, progress: EvalProgress | None = None) -> Results:
    """Grade the answers in `folder` by `options.judge` or the folder's judge; present verdicts stay.

    Raises:
        ConfigError: There is no judge, it cannot be called, or the folder holds no results.
        FusionError: As `evaluate`.
    """
    require_extra("evals")
    Results(folder)  # before the lock, which would make a folder that is not there
    with folder_lock(folder):
        results = Results.reopen(folder)
        judge = options.judge or results.manifest.judge_model
        if judge is None:
            raise ConfigError("nobody is to grade: name a judge, --judge PROVIDER:MODEL", field="judge")
        check_judge(judge, limited=options.usd is not None, allow_unpriced=options.allow_unpriced)
        # Before the first verdict: only the verdicts of the manifest's judge count; those of an earlier judge stay.
        results.update_manifest(judge=judge.model_dump(mode="json"), passes=options.passes)
        spent = eval_bill(results).total.cost_usd or 0.0
        await _grade(results, options, EvalBudget(options.usd, spent), progress or EvalProgress())
    return results


async def _grade(results: Results, options: EvalOptions, budget: EvalBudget, progress: EvalProgress) -> None:
    texts = ungraded_texts(results, seats=options.seats)
    progress.start_phase("verdicts", sum(text.missing(results.manifest.passes) for text in texts))
    if budget.remaining == 0.0:  # such a budget has no session, and without a session calls have no limit
        return
    # Twice as many as runs: a verdict is one short call, where a run has several seats with tools.
    await grade_all(results, texts, concurrency=2 * options.concurrency, session=budget.session, progress=progress)


def _grading_cost(results: Results, options: EvalOptions) -> float:
    """Return what the grading of the present answers may cost, in US dollars."""
    if options.judge is None or options.usd is None:
        return 0.0
    return sum(
        grading_usd(text.task, options.judge, options.passes) for text in ungraded_texts(results, seats=options.seats)
    )
