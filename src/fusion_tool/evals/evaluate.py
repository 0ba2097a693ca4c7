"""`evaluate`: ask and grade into a results folder, or go on where an earlier process stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fusion_tool.config.installation import require_evals
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
    folder: Path, tasks: TaskSet, arms: Sequence[Arm], options: EvalOptions, progress: EvalProgress | None = None
) -> tuple[Results, RunCounts]:
    """Let `arms` answer `tasks`, and grade what they answer, into `folder`; what is paid for is not paid again.

    Args:
        folder: New, or of the same task set.
        tasks: They.
        arms: They; those that the folder knows already stay beside them.
        options: How.
        progress: Told how it goes.

    Raises:
        ConfigError: An arm or the judge cannot work here, the folder is another task set's or in use, or the extra
            `evals` is not installed; before anything is spent.
        FusionError: The folder cannot be written; what was written before is kept.
    """
    require_evals()
    limited, progress = options.usd is not None, progress or EvalProgress()
    await check_arms(arms, limited=limited)
    if options.judge:
        check_judge(options.judge, limited=limited, allow_unpriced=options.allow_unpriced)
    with folder_lock(folder):
        results = Results.begin(folder, tasks, list(arms))
        if options.judge:
            results.update_manifest(judge=options.judge.model_dump(mode="json"), passes=options.passes)
        budget = EvalBudget(options.usd, eval_bill(results).total.cost_usd or 0.0, _grading_cost(results, options))
        chosen = tasks.tasks[: options.limit]
        progress.start_phase("answers", len(pending_runs(results, arms, chosen)))
        asked = await run_arms(
            results,
            arms,
            chosen,
            budget=budget,
            concurrency=options.concurrency,
            judge=options.judge,
            progress=progress,
        )
        if options.judge:
            await _grade(results, options, budget, progress)
    return results, asked


async def regrade(folder: Path, options: EvalOptions, progress: EvalProgress | None = None) -> Results:
    """Grade what `folder` holds, by `options.judge` or the judge it has; verdicts that are there stay.

    Raises:
        ConfigError: There is no judge, he cannot be asked, or the folder holds no results.
        FusionError: As `evaluate`.
    """
    require_evals()
    with folder_lock(folder):
        results = Results.reopen(folder)
        judge = options.judge or results.manifest.judge_model
        if judge is None:
            raise ConfigError("nobody is to grade: name a judge, --judge PROVIDER:MODEL", field="judge")
        check_judge(judge, limited=options.usd is not None, allow_unpriced=options.allow_unpriced)
        results.update_manifest(judge=judge.model_dump(mode="json"), passes=options.passes)
        spent = eval_bill(results).total.cost_usd or 0.0
        await _grade(results, options, EvalBudget(options.usd, spent), progress or EvalProgress())
    return results


async def _grade(results: Results, options: EvalOptions, budget: EvalBudget, progress: EvalProgress) -> None:
    texts = ungraded_texts(results, seats=options.seats)
    progress.start_phase("verdicts", sum(text.missing(results.manifest.passes) for text in texts))
    if budget.remaining == 0.0:
        return
    await grade_all(results, texts, concurrency=2 * options.concurrency, session=budget.session, progress=progress)


def _grading_cost(results: Results, options: EvalOptions) -> float:
    """What the grading of the answers that are there may take."""
    if options.judge is None or options.usd is None:
        return 0.0
    return sum(
        grading_usd(text.task, options.judge, options.passes) for text in ungraded_texts(results, seats=options.seats)
    )
