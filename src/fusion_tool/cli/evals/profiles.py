"""`fusion-tool eval profiles`: what was measured, for the router."""

from typing import Annotated

import typer

from fusion_tool.cli.evals import options


def profiles(
    folder: options.Folder,
    *,
    min_tasks: Annotated[
        int, typer.Option(metavar="N", min=2, help="Leave out domains with fewer tasks: they would mislead.")
    ] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show, and write nothing.")] = False,
) -> None:
    """Write each single model's scores by domain into your profiles, which the router prefers to published ones."""
    from rich.table import Table

    from fusion_tool.cli import consoles
    from fusion_tool.cli.text import line
    from fusion_tool.evals.extra import check_installed
    from fusion_tool.evals.measured import measured, write_profiles
    from fusion_tool.evals.results import Results
    from fusion_tool.evals.sheets import points, reach

    check_installed()
    results = Results(folder)
    found = measured(results, least=min_tasks)
    if not found:
        raise typer.BadParameter(
            "it has no arm of a single model with scores: --arm solo:PROVIDER:MODEL", param_hint="DIR"
        )
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(("model", "domain", "score", "interval", "n", "")):
        table.add_column(name, justify="right" if 1 < place < 5 else "left", overflow="fold")  # noqa: PLR2004 - numbers
    for one in found:
        figures = (points(one.mean.value), reach(one.mean), str(one.mean.n))
        table.add_row(line(one.model), one.domain, *figures, line(one.why_not or "to be written", 120))
    consoles.stdout().print(table)
    if not dry_run and any(not one.why_not for one in found):
        consoles.stderr().print(f"written: {write_profiles(results, found)}", soft_wrap=True)
