"""`fusion-tool eval run`: ask every arm, grade, show."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.evals import options


def run(  # noqa: PLR0913 - each is an option of the command line
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
    from fusion_tool.cli.evals.bars import bars
    from fusion_tool.cli.evals.ending import told
    from fusion_tool.cli.signals import run_until_signalled
    from fusion_tool.config import Panelist
    from fusion_tool.evals.arms import parse_arms
    from fusion_tool.evals.download import load_tasks
    from fusion_tool.evals.evaluate import Terms, evaluate
    from fusion_tool.evals.extra import check_installed

    check_installed()
    common = options.overrides(
        search=search, no_search=no_search, bash=bash, max_seconds=max_seconds, unpriced=allow_unpriced
    )
    arms = parse_arms(arm or [], common)
    terms = Terms(
        judge=None if judge is None or no_grade else Panelist(model=judge),
        passes=passes,
        concurrency=concurrency,
        usd=max_usd,
        limit=limit,
        seats=grade_seats,
        allow_unpriced=allow_unpriced,
    )

    async def work() -> int:
        chosen = await load_tasks(tasks)
        if terms.judge is None and not no_grade and any(task.rubric for task in chosen.tasks):
            raise typer.BadParameter("some tasks have a rubric: name who grades, or --no-grade", param_hint="--judge")
        with bars() as watcher:
            results, asked = await evaluate(out, chosen, arms, terms, watcher)
        return told(results, asked)

    raise typer.Exit(run_until_signalled(work()))
