"""`fusion-tool eval run`, `grade` and `watch`: ask every arm, grade the answers, look whether models have changed."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.commands.evals import options


def run_evaluation(  # noqa: PLR0913 - each is an option of the command line
    tasks: options.Tasks,
    *,
    arm: options.Arms = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The results folder, new or to be gone on with.")],
    judge: options.Judge = None,
    passes: options.Passes = 1,
    concurrency: options.Concurrency = 4,
    max_usd: options.MaxUsd = None,
    allow_unpriced: options.Unpriced = False,
    limit: options.Limit = None,
    no_grade: Annotated[bool, typer.Option("--no-grade", help="Only ask; 'eval grade' grades later.")] = False,
    grade_seats: options.Seats = False,
    search: options.Search = None,
    no_search: options.NoSearch = False,
    bash: options.Bash = None,
    max_seconds: options.MaxSeconds = None,
) -> None:
    """Let every arm answer the tasks, grade the answers blindly, and compare.

    Stopped at any point, the same command goes on, and nothing is paid twice.
    """
    from fusion_tool.cli.eval_output import finish_eval, progress_bars
    from fusion_tool.cli.signals import run_until_signal
    from fusion_tool.config.installation import require_extra
    from fusion_tool.config.schema import Panelist
    from fusion_tool.evals.arms import parse_arms
    from fusion_tool.evals.datasets import load_tasks
    from fusion_tool.evals.evaluate import EvalOptions, evaluate

    require_extra("evals")
    common = options.overrides(
        search=search, no_search=no_search, bash=bash, max_seconds=max_seconds, unpriced=allow_unpriced
    )
    arms = parse_arms(arm or [], common)
    terms = EvalOptions(
        judge=None if judge is None or no_grade else Panelist(model=judge),
        passes=passes,
        concurrency=concurrency,
        usd=max_usd,
        limit=limit,
        seats=grade_seats,
        allow_unpriced=allow_unpriced,
    )

    async def work() -> int:
        task_set = await load_tasks(tasks)
        # Before any arm is paid for: an answer to such a task is worth nothing without its grade.
        if terms.judge is None and not no_grade and any(task.rubric for task in task_set.tasks):
            raise typer.BadParameter("some tasks have a rubric: name who grades, or --no-grade", param_hint="--judge")
        with progress_bars() as watcher:
            results, counts = await evaluate(out, task_set, arms, terms, watcher)
        return finish_eval(results, counts)

    raise typer.Exit(run_until_signal(work()))


def grade(  # noqa: PLR0913 - each is an option of the command line
    folder: options.Folder,
    *,
    judge: options.Judge = None,
    passes: options.Passes = 1,
    concurrency: options.Concurrency = 4,
    max_usd: options.MaxUsd = None,
    allow_unpriced: options.Unpriced = False,
    grade_seats: options.Seats = False,
) -> None:
    """Grade a folder's answers: what is missing by its judge, or all by another one. No arm is asked again."""
    from fusion_tool.cli.eval_output import finish_eval, progress_bars
    from fusion_tool.cli.signals import run_until_signal
    from fusion_tool.config.schema import Panelist
    from fusion_tool.evals.evaluate import EvalOptions, regrade

    terms = EvalOptions(
        judge=None if judge is None else Panelist(model=judge),
        passes=passes,
        concurrency=concurrency,
        usd=max_usd,
        seats=grade_seats,
        allow_unpriced=allow_unpriced,
    )

    async def work() -> int:
        with progress_bars() as watcher:
            results = await regrade(folder, terms, watcher)
        return finish_eval(results)

    raise typer.Exit(run_until_signal(work()))


DRIFTED = 5
"""The exit status where a model dropped, gives no answers, or retires soon; no other command uses it."""


def watch(  # noqa: PLR0913 - each is an option of the command line
    tasks: options.Tasks,
    *,
    baseline: Annotated[Path, typer.Option(metavar="DIR", help="Results of the same tasks, with solo: arms.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The new results. Default: DIR/watch/ and the day.")
    ] = None,
    concurrency: options.Concurrency = 4,
    max_usd: options.MaxUsd = None,
    allow_unpriced: options.Unpriced = False,
    verbose: Annotated[bool, typer.Option("--show", help="Show progress and every comparison.")] = False,
) -> None:
    """Ask each model of a baseline a few canary tasks again, and tell where one did worse or retires.

    Exit status: 0 where nothing is wrong, and then nothing is printed; 5 where a model dropped, gives no answers, or
    retires within 30 days.
    """
    from contextlib import nullcontext
    from datetime import UTC, datetime

    from fusion_tool.cli import terminal
    from fusion_tool.cli.eval_output import progress_bars
    from fusion_tool.cli.signals import run_until_signal
    from fusion_tool.evals.datasets import load_tasks
    from fusion_tool.evals.drift import Drift
    from fusion_tool.evals.drift import watch as watch_drift
    from fusion_tool.evals.evaluate import EvalOptions
    from fusion_tool.evals.runner import EvalProgress
    from fusion_tool.events import one_line

    today = datetime.now(UTC).date()
    # By the day, so that cron's next call of a stopped one goes on with it, and the next day's begins anew.
    folder = out or baseline / "watch" / today.isoformat()
    terms = EvalOptions(concurrency=concurrency, usd=max_usd, allow_unpriced=allow_unpriced)

    async def work() -> Drift:
        canaries = await load_tasks(tasks)
        # Silent by default: cron mails whatever a command prints.
        with progress_bars() if verbose else nullcontext(EvalProgress()) as watcher:
            return await watch_drift(canaries, baseline, folder, terms, today=today, progress=watcher)

    drift = run_until_signal(work())
    for comparison in drift.comparisons if verbose else ():
        terminal.stdout().print(one_line(comparison.sentence, 500), soft_wrap=True)
    for alarm in drift.alarms:
        terminal.stderr().print(f"warning: {one_line(alarm, 500)}", style="yellow", soft_wrap=True)
    raise typer.Exit(DRIFTED if drift.alarms else 0)
