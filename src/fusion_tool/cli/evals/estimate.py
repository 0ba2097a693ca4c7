"""`fusion-tool eval estimate`: the bill before it is spent."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fusion_tool.cli.evals import options

if TYPE_CHECKING:
    from fusion_tool.evals.forecast import ArmForecast


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

    from fusion_tool.config import Panelist
    from fusion_tool.evals.arms import parse_arms
    from fusion_tool.evals.download import load_tasks
    from fusion_tool.evals.forecast import forecast

    common = options.overrides(search=search, no_search=no_search, bash=bash, max_seconds=max_seconds, unpriced=False)
    arms, chosen = parse_arms(arm or [], common), asyncio.run(load_tasks(tasks))
    chosen = chosen.only(task.id for task in chosen.tasks[:limit])
    _show(forecast(arms, chosen, Panelist(model=judge) if judge else None, passes=passes))


def _show(rows: "list[ArmForecast]") -> None:
    from rich.table import Table

    from fusion_tool.cli import consoles
    from fusion_tool.cli.text import dollars, line
    from fusion_tool.estimate import ASSUMPTIONS as OF_RUNS
    from fusion_tool.evals.forecast import ASSUMPTIONS

    console = consoles.stdout()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(("arm", "runs", "expected", "at worst", "verdicts", "grading")):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        money = (dollars(row.expected), dollars(row.worst), f"{row.verdicts:,}", dollars(row.grading))
        table.add_row(line(row.arm), f"{row.runs:,}", *money)
    sums = (_sum(row.expected for row in rows), _sum(row.worst for row in rows), _sum(row.grading for row in rows))
    runs, verdicts = sum(row.runs for row in rows), sum(row.verdicts for row in rows)
    table.add_row(
        "total", f"{runs:,}", dollars(sums[0]), dollars(sums[1]), f"{verdicts:,}", dollars(sums[2]), style="bold"
    )
    console.print(table)
    console.print(f"\nExpected in all: {dollars(_sum((sums[0], sums[2])))}", soft_wrap=True)
    if unpriced := dict.fromkeys(name for row in rows for name in row.unpriced):
        console.print(f"Without a known price, and not in it: {', '.join(map(line, unpriced))}", soft_wrap=True)
    console.print("\nAssumed:")
    for assumption in (*OF_RUNS, *ASSUMPTIONS):
        console.print(f"- {assumption}", soft_wrap=True)


def _sum(costs: Iterable[float | None]) -> float | None:
    """Unknown where nothing is known."""
    known = [cost for cost in costs if cost is not None]
    return sum(known) if known else None
