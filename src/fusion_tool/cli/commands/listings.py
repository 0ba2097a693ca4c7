"""`fusion-tool presets` and `fusion-tool runs`: the presets to choose from, and the runs that are kept."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fusion_tool.config.schema import Panelist


def presets() -> None:
    """List the presets: what each is for, who sits on its panel, and the key that it needs."""
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.config.presets import OLLAMA, preset_description, preset_names

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    for name in ("preset", "what for", "panel", "judge and synthesizer", "needs"):
        table.add_column(name, overflow="fold", no_wrap=name == "preset")
    for name in preset_names():
        row = ("whatever is installed", "the largest of them", "ollama serve") if name == OLLAMA else _row(name)
        table.add_row(name, preset_description(name), *row)
    terminal.stdout().print(table)


def _row(name: str) -> tuple[str, str, str]:
    from fusion_tool.config.presets import preset

    config = preset(name)
    panel = [seat.model_name for seat in config.panel]
    judges = list(dict.fromkeys([config.judge_or_default.model_name, config.synthesizer_or_default.model_name]))
    return _model_lines(panel), _model_lines(judges), _needs([*config.roles])


def _model_lines(models: list[str]) -> str:
    """Return each model on a line of its own, without its provider, which the last column implies."""
    counts = Counter(model.partition(":")[2] for model in models)
    return "\n".join(f"{model} ({n} times)" if n > 1 else model for model, n in counts.items())


def _needs(panelists: list["Panelist"]) -> str:
    from fusion_tool.models.providers import key_variable

    needs = [
        "fusion-tool model install" if panelist.model_name.startswith("local:") else key_variable(panelist)
        for panelist in panelists
    ]
    return ", ".join(dict.fromkeys(need for need in needs if need))


runs = typer.Typer(
    name="runs",
    help="The runs that are kept: list them, or delete some. An unfinished one goes on with 'ask --resume'.",
    invoke_without_command=True,
)


@runs.callback()
def list_(context: typer.Context) -> None:
    """List the kept runs, the latest first."""
    # Click runs the group before its commands; alone, the group is the list.
    if context.invoked_subcommand is not None:
        return
    import asyncio

    from rich.table import Table

    from fusion_tool.api.run_store import KEEP_DAYS, default_path, list_runs
    from fusion_tool.cli import terminal
    from fusion_tool.events import UNKNOWN, one_line

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("run", "last step", "state", "question"):
        table.add_column(name, no_wrap=name != "question", overflow="fold")
    problems = []
    for run in asyncio.run(list_runs()):
        state = f"{run.status} before {run.stage}" if run.stage else run.status
        # Stored in UTC, shown in the user's time.
        last_step = f"{run.last_step_at.astimezone():%Y-%m-%d %H:%M}" if run.last_step_at else UNKNOWN
        table.add_row(one_line(run.id), last_step, state, one_line(run.question, 60))
        problems += [f"warning: {run.problem}; 'fusion-tool runs delete' removes it"] if run.problem else []
    if table.row_count:
        terminal.stdout().print(table)
    for problem in problems:
        terminal.stderr().print(one_line(problem, 400), soft_wrap=True)
    terminal.stderr().print(f"kept in {default_path()}, each for {KEEP_DAYS:g} days", style="dim", soft_wrap=True)


@runs.command()
def delete(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[RUN_ID]...", help="As the list names them.")] = None,
    older_than: Annotated[
        float | None, typer.Option(metavar="DAYS", min=0, help="All whose last step is longer ago.")
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
