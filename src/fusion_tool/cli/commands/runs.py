"""`fusion-tool runs`: the runs that are kept, what they answered, and what they spent day by day."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from fusion_tool.api.stored_runs import StoredRun

runs = typer.Typer(
    name="runs",
    help="The runs that are kept: list them with what they spent, show one, or delete some. 'ask --resume' finishes "
    "one, 'ask --continue' goes on from its answer.",
    invoke_without_command=True,
)

_AsJson = Annotated[bool, typer.Option("--json", help="As JSON on stdout.")]


@runs.callback()
def list_(context: typer.Context, *, as_json: _AsJson = False) -> None:
    """List the kept runs, the latest first, and what they spent by day."""
    # Click runs the group before its commands; alone, the group is the list.
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from fusion_tool.api.run_store import KEEP_DAYS, default_place, place_name
    from fusion_tool.api.stored_runs import list_runs
    from fusion_tool.cli import terminal
    from fusion_tool.events import one_line

    kept = asyncio.run(list_runs())
    if as_json:
        _print_json(kept)
        return
    if kept:
        terminal.stdout().print(_run_table(kept), "", _day_table(kept), sep="\n")
    for run in kept:
        if run.problem:
            warning = f"warning: {run.problem}; 'fusion-tool runs delete' removes it"
            terminal.stderr().print(one_line(warning, 400), soft_wrap=True)
    where = f"kept in {place_name(default_place())}, each for {KEEP_DAYS:g} days"
    terminal.stderr().print(where, style="dim", soft_wrap=True)


def _run_table(kept: "list[StoredRun]") -> "Table":
    from rich.table import Table

    from fusion_tool.cli.output import SHORT_ID
    from fusion_tool.events import UNKNOWN, format_cost, one_line

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "last step", "state", "cost", "question"):
        # An id that is cut names no run, and a date no day; what is narrow folds the rest by its words.
        table.add_column(name, no_wrap=name in ("run", "last step"), overflow="fold")
    for run in kept:
        state = f"{run.status} before {run.stage}" if run.stage else run.status
        # Stored in UTC, shown in the user's time.
        last_step = f"{run.last_step_at.astimezone():%Y-%m-%d %H:%M}" if run.last_step_at else UNKNOWN
        cost = format_cost(run.usage.cost_usd, run.usage.unpriced_calls) if run.usage else UNKNOWN
        table.add_row(one_line(run.id[:SHORT_ID]), last_step, state, cost, one_line(run.question, 60))
    return table


def _day_table(kept: "list[StoredRun]") -> "Table":
    from rich.table import Table

    from fusion_tool.api.stored_runs import spent_by_day
    from fusion_tool.events import UNKNOWN, format_cost

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("day", "runs", "spent"):
        table.add_column(name, justify="right" if name == "runs" else "left", no_wrap=True)
    for day, count, usage in spent_by_day(kept):
        spent = format_cost(usage.cost_usd, usage.unpriced_calls) if usage else UNKNOWN
        table.add_row(str(day or UNKNOWN), str(count), spent)
    return table


def _print_json(kept: "list[StoredRun]") -> None:
    import json

    from fusion_tool.api.stored_runs import spent_by_day
    from fusion_tool.budget.usage import Usage

    def bill(usage: Usage | None) -> dict[str, float | int | None]:
        return {
            "cost_usd": usage.cost_usd if usage else None,
            "unpriced_calls": usage.unpriced_calls if usage else None,
        }

    rows = [
        {
            "id": run.id,
            "question": run.question,
            "status": run.status,
            "stage": run.stage,
            "last_step_at": run.last_step_at.isoformat() if run.last_step_at else None,
            **bill(run.usage),
            "problem": run.problem,
        }
        for run in kept
    ]
    days = [
        {"day": str(day) if day else None, "runs": count, **bill(usage)} for day, count, usage in spent_by_day(kept)
    ]
    sys.stdout.write(json.dumps({"runs": rows, "spent_by_day": days}, indent=2) + "\n")


@runs.command()
def show(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="As the list names it, or the beginning of it.")],
    *,
    as_json: _AsJson = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="In this file too, as 'ask -o' writes it."),
    ] = None,
) -> None:
    """Show a kept run again: its answer and sources on stdout, its question, seats and bill on stderr."""
    import asyncio

    from fusion_tool.api.stored_runs import read_result
    from fusion_tool.cli import terminal
    from fusion_tool.cli.output import AnswerOutput, JsonOutput, print_report
    from fusion_tool.cli.output_file import OutputFile
    from fusion_tool.events import one_line

    file = None if output is None else OutputFile(output, quiet=False)
    result = asyncio.run(read_result(run_id))
    ended = {"type": "run.completed", "result": result.model_dump(mode="json")}
    if as_json:
        JsonOutput().observe(ended)
    else:
        console = terminal.stderr()
        console.print(f"Question: {one_line(result.question, 400)}\n", soft_wrap=True)
        AnswerOutput().observe(ended)
        print_report(result, console)
    if file is not None:
        file.observe(ended)
        raise typer.Exit(file.write())


@runs.command()
def delete(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN_ID]...", help="As the list names them, or their beginnings."),
    ] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, max=36_500, help="All whose last step is longer ago.")
    ] = None,
) -> None:
    """Delete runs: what was asked, read and answered."""
    import asyncio

    from fusion_tool.api.run_store import delete_runs
    from fusion_tool.cli import terminal

    if not ids and older_than is None:
        raise typer.BadParameter("name a run, or give --older-than", param_hint="RUN_ID")
    deleted = asyncio.run(delete_runs(*(ids or ()), older_than_days=older_than))
    terminal.stderr().print(f"deleted {len(deleted)} runs" if len(deleted) != 1 else "deleted 1 run")
