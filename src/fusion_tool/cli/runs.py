"""`fusion-tool runs`: what is kept of earlier runs."""

from typing import Annotated

import typer

runs = typer.Typer(
    name="runs",
    help="The runs that are kept: list them, or delete some. An unfinished one goes on with 'ask --resume'.",
    invoke_without_command=True,
)


@runs.callback()
def list_(context: typer.Context) -> None:
    """List the kept runs, the latest first."""
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from rich.table import Table

    from fusion_tool.cli import consoles
    from fusion_tool.cli.text import UNKNOWN, line
    from fusion_tool.runs import KEEP_DAYS, default_path, kept_runs

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "last step", "state", "question"):
        table.add_column(name, no_wrap=name != "question", overflow="fold")
    problems = []
    for run in asyncio.run(kept_runs()):
        state = f"{run.status} before {run.stage}" if run.stage else run.status
        at = f"{run.at.astimezone():%Y-%m-%d %H:%M}" if run.at else UNKNOWN
        table.add_row(line(run.id), at, state, line(run.question, 60))
        problems += [f"warning: {run.problem}; 'fusion-tool runs delete' removes it"] if run.problem else []
    if table.row_count:
        consoles.stdout().print(table)
    for problem in problems:
        consoles.stderr().print(line(problem, 400), soft_wrap=True)
    consoles.stderr().print(f"kept in {default_path()}, each for {KEEP_DAYS:g} days", style="dim", soft_wrap=True)


@runs.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[RUN_ID]...", help="As the list names them.")] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="All whose last step is longer ago.")
    ] = None,
) -> None:
    """Delete runs: what was asked, read and answered."""
    import asyncio

    from fusion_tool.cli import consoles
    from fusion_tool.runs import delete_runs

    if not ids and older_than is None:
        raise typer.BadParameter("name a run, or give --older-than", param_hint="RUN_ID")
    deleted = asyncio.run(delete_runs(*(ids or ()), older_than_days=older_than))
    consoles.stderr().print(f"deleted {len(deleted)} runs" if len(deleted) != 1 else "deleted 1 run")
