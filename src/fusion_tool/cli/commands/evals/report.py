"""`fusion-tool eval report`, `profiles` and `estimate`: the findings, the router's profiles, the bill in advance."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fusion_tool.cli.commands.evals import options

if TYPE_CHECKING:
    from fusion_tool.evals.costs import ArmForecast
    from fusion_tool.evals.statistics import Mean


def report_evaluation(
    folder: options.Folder,
    *,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="One self-contained page with pictures.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="The same as Markdown.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="ARM", help="Compare each arm with this one alone; by default all pairs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON on stdout.")] = False,
) -> None:
    """Show what a folder's results say: in the terminal, as a page, Markdown or JSON. Nothing is asked of anybody."""
    from fusion_tool.cli import terminal
    from fusion_tool.cli.eval_output import print_summary
    from fusion_tool.config.installation import require_extra
    from fusion_tool.evals.results import Results
    from fusion_tool.evals.summary import summarize

    require_extra("evals")
    summary = summarize(Results(folder), against=against)
    if markdown:
        from fusion_tool.evals.report.tables import to_markdown

        _save(markdown, to_markdown(summary))
    if html:
        from fusion_tool.evals.report.html import to_html

        _save(html, to_html(summary))
    if as_json:
        from pydantic import TypeAdapter

        from fusion_tool.evals.summary import Summary

        sys.stdout.write(TypeAdapter(Summary).dump_json(summary, indent=2).decode() + "\n")
    else:
        print_summary(summary, terminal.stdout())
    for file in (markdown, html):
        if file:
            terminal.stderr().print(f"written: {file}", soft_wrap=True)


def _save(path: Path, text: str) -> None:
    from fusion_tool.errors import ConfigError

    try:
        # An answer may hold halves of characters, and one of them must not cost the report.
        path.write_text(text, "utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def profiles(
    folder: options.Folder,
    *,
    min_tasks: Annotated[
        int, typer.Option(metavar="N", min=2, help="Leave out domains with fewer tasks: they would mislead.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, and write nothing.")] = False,
) -> None:
    """Write each single model's scores by domain, and each cast's over one panel, into your profiles.

    They count before published ones: by the first the router chooses, by the second judge and writer are chosen. With
    judge=A|B and synthesizer=C|D in its arm a panel has several casts.
    """
    from fusion_tool.cli import terminal
    from fusion_tool.config.installation import require_extra
    from fusion_tool.evals.casts import measure_casts
    from fusion_tool.evals.results import Results
    from fusion_tool.evals.router_profiles import measure_scores, write_profiles

    require_extra("evals")
    results = Results(folder)
    scores, casts = measure_scores(results, min_tasks=min_tasks), measure_casts(results, min_tasks=min_tasks)
    if not scores and not casts:
        raise typer.BadParameter(
            "it has no arm of a single model with scores (--arm solo:PROVIDER:MODEL), nor several casts of one panel",
            param_hint="DIR",
        )
    if scores:
        _print_means(("model", "domain"), [((one.model, one.domain), one.mean, one.rejection) for one in scores])
    if casts:
        rows = [((one.judge, one.writer, one.panel), one.mean, one.rejection) for one in casts]
        _print_means(("judge", "writer", "panel"), rows)
    if not dry_run and not all([one.rejection for one in scores] + [one.rejection for one in casts]):
        terminal.stderr().print(f"written: {write_profiles(results, scores, casts)}", soft_wrap=True)


def _print_means(names: tuple[str, ...], rows: "Sequence[tuple[tuple[str, ...], Mean, str | None]]") -> None:
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.evals.report.section import format_interval, format_points
    from fusion_tool.events import one_line

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (*names, "score", "interval", "n", ""):
        table.add_column(name, justify="right" if name in ("score", "interval", "n") else "left", overflow="fold")
    for cells, mean, rejection in rows:
        figures = (format_points(mean.value), format_interval(mean), str(mean.n))
        table.add_row(*map(one_line, cells), *figures, one_line(rejection or "to be written", 120))
    terminal.stdout().print(table)


def estimate(  # noqa: PLR0913 - each is an option of the command line
    tasks: options.Tasks,
    *,
    arm: options.Arms = None,
    judge: options.Judge = None,
    passes: options.Passes = 1,
    limit: options.Limit = None,
    search: options.Search = None,
    no_search: options.NoSearch = False,
    bash: options.Bash = None,
    max_seconds: options.MaxSeconds = None,
) -> None:
    """Show what 'eval run' is expected to cost, arm by arm, and at worst. Nothing is asked of anybody."""
    import asyncio

    from fusion_tool.config.schema import Panelist
    from fusion_tool.evals.arms import parse_arms
    from fusion_tool.evals.costs import forecast_costs
    from fusion_tool.evals.datasets import load_tasks

    common = options.overrides(search=search, no_search=no_search, bash=bash, max_seconds=max_seconds, unpriced=False)
    arms, task_set = parse_arms(arm or [], common), asyncio.run(load_tasks(tasks))
    task_set = task_set.only(task.id for task in task_set.tasks[:limit])
    _show(forecast_costs(arms, task_set, Panelist(model=judge) if judge else None, passes=passes))


def _show(rows: "list[ArmForecast]") -> None:
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.evals.costs import ASSUMPTIONS
    from fusion_tool.events import format_usd, one_line
    from fusion_tool.graph.estimate import ASSUMPTIONS as OF_RUNS

    console = terminal.stdout()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(("arm", "runs", "expected", "at worst", "verdicts", "grading")):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        money = (format_usd(row.expected), format_usd(row.worst), f"{row.verdicts:,}", format_usd(row.grading))
        table.add_row(one_line(row.arm), f"{row.runs:,}", *money)
    sums = (_sum(row.expected for row in rows), _sum(row.worst for row in rows), _sum(row.grading for row in rows))
    runs, verdicts = sum(row.runs for row in rows), sum(row.verdicts for row in rows)
    table.add_row(
        "total",
        f"{runs:,}",
        format_usd(sums[0]),
        format_usd(sums[1]),
        f"{verdicts:,}",
        format_usd(sums[2]),
        style="bold",
    )
    console.print(table)
    console.print(f"\nExpected in all: {format_usd(_sum((sums[0], sums[2])))}", soft_wrap=True)
    if unpriced := dict.fromkeys(name for row in rows for name in row.unpriced):
        console.print(f"Without a known price, and not in it: {', '.join(map(one_line, unpriced))}", soft_wrap=True)
    console.print("\nAssumed:")
    for assumption in (*OF_RUNS, *ASSUMPTIONS):
        console.print(f"- {assumption}", soft_wrap=True)


def _sum(costs: Iterable[float | None]) -> float | None:
    """Return the sum of the known costs, in US dollars; `None` where none is known."""
    known_costs = [cost for cost in costs if cost is not None]
    return sum(known_costs) if known_costs else None
