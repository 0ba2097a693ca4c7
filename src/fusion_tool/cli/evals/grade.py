"""`fusion-tool eval grade`: verdicts on what a folder holds."""

import typer

from fusion_tool.cli.evals import options


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
    from fusion_tool.cli.evals.bars import bars
    from fusion_tool.cli.evals.ending import told
    from fusion_tool.cli.signals import run_until_signalled
    from fusion_tool.config import Panelist
    from fusion_tool.evals.evaluate import Terms, regrade

    terms = Terms(
        judge=None if judge is None else Panelist(model=judge),
        passes=passes,
        concurrency=concurrency,
        usd=max_usd,
        seats=grade_seats,
        allow_unpriced=allow_unpriced,
    )

    async def work() -> int:
        with bars() as watcher:
            results = await regrade(folder, terms, watcher)
        return told(results)

    raise typer.Exit(run_until_signalled(work()))
