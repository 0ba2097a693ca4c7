"""`fusion-tool models` and `fusion-tool model`: the record of how models fared, and the embedded model's weights."""

from pathlib import Path
from typing import Annotated

import typer


def models(
    *,
    days: Annotated[float, typer.Option(metavar="N", min=0, help="Calls of the last N days.")] = 30,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the providers whether they still list the models; costs nothing.")
    ] = False,
    preset: Annotated[str | None, typer.Option(help="Look after this preset's models. Default: budget.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Look after this file's models.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON on stdout.")] = False,
) -> None:
    """Show how every model fared in your runs, and which are about to go; 'model' is about the embedded one's weights.

    Looked after are the recorded models and those of the configuration, with --check also those that the router knows.
    """
    import asyncio
    from datetime import UTC, datetime, timedelta

    from fusion_tool.cli import model_listings
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.cli.model_health import HealthReport, print_health, print_health_json
    from fusion_tool.config.loading import DEFAULT_PRESET
    from fusion_tool.models.health import TRACKER

    choices = ConfigOptions(preset=preset or (None if config else DEFAULT_PRESET), config=config)
    configured = model_listings.candidates(choices.to_config())
    now = datetime.now(UTC)
    # Without it the breakers would be new: this process has called no model.
    TRACKER.load_recent_now()
    rows = [(row, TRACKER.status(row.model)) for row in TRACKER.statistics(now - timedelta(days=days))]
    names = [row.model for row, _ in rows] + [panelist.model_name for panelist in configured]
    warnings = model_listings.retirement_warnings(names, now.date())
    if check:
        warnings += asyncio.run(
            model_listings.unlisted_models(
                [*configured, *model_listings.recorded_models(names), *model_listings.profiled_models()]
            )
        )
    (print_health_json if as_json else print_health)(HealthReport(days, rows, warnings, was_checked=check))


model = typer.Typer(
    name="model",
    help="Install or list the embedded model's weights; 'models' is about how all models fared.",
    no_args_is_help=True,
)

_DEFAULT = "smollm2-135m"


@model.command()
def install(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="As 'fusion-tool model list' names it.")] = _DEFAULT,
) -> None:
    """Download the model's weights, check them, keep them. Done already, it does nothing."""
    from fusion_tool.cli import terminal
    from fusion_tool.models.local import install as install_weights

    console = terminal.stderr()
    # A download of a hundred megabytes, in which nothing else would move.
    with console.status("working"):
        install_weights(name, on_progress=console.print)


@model.command("list")
def list_() -> None:
    """List the models that can be installed, and where the installed ones lie."""
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.models.local import MODELS, is_installed, weights_path

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "size", "state"):
        table.add_column(column, overflow="fold")
    for name, weights in MODELS.items():
        state = f"installed at {weights_path(name)}" if is_installed(name) else "not installed"
        table.add_row(f"local:{name}", f"{weights.megabytes} MB", state)
    terminal.stdout().print(table)
