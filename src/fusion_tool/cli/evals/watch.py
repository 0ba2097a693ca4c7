"""`fusion-tool eval watch`: have models changed since? For cron: silent unless something is wrong."""

from pathlib import Path
from typing import Annotated

import typer

from fusion_tool.cli.evals import options

DRIFTED = 5
"""The exit status where something is wrong."""


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

    from fusion_tool.cli import consoles
    from fusion_tool.cli.evals.bars import bars
    from fusion_tool.cli.signals import run_until_signalled
    from fusion_tool.cli.text import line
    from fusion_tool.evals.download import load_tasks
    from fusion_tool.evals.drift import Drift
    from fusion_tool.evals.drift import watch as watched
    from fusion_tool.evals.evaluate import Terms
    from fusion_tool.evals.watcher import Watcher

    today = datetime.now(UTC).date()
    folder = out or baseline / "watch" / today.isoformat()
    terms = Terms(concurrency=concurrency, usd=max_usd, allow_unpriced=allow_unpriced)

    async def work() -> Drift:
        canaries = await load_tasks(tasks)
        with bars() if verbose else nullcontext(Watcher()) as watcher:
            return await watched(canaries, baseline, folder, terms, today=today, watcher=watcher)

    drift = run_until_signalled(work())
    for one in drift.comparisons if verbose else ():
        consoles.stdout().print(line(one.sentence, 500), soft_wrap=True)
    for alarm in drift.alarms:
        consoles.stderr().print(f"warning: {line(alarm, 500)}", style="yellow", soft_wrap=True)
    raise typer.Exit(DRIFTED if drift.alarms else 0)
