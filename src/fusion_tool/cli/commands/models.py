"""`fusion-tool model`: the record of how models fared, and the models that run on this machine."""

from pathlib import Path
from typing import Annotated

import typer

model = typer.Typer(
    name="model",
    help="How all models fared in your runs; install, list or remove those that run on this machine.",
    no_args_is_help=True,
)


@model.command()
def health(
    *,
    days: Annotated[float, typer.Option(metavar="N", min=0, help="Calls of the last N days.")] = 30,
    check: Annotated[
        bool, typer.Option("--check", help="Ask the providers whether they still list the models; costs nothing.")
    ] = False,
    preset: Annotated[str | None, typer.Option(help="Look after this preset's models. Default: budget.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Look after this file's models.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All of it as JSON on stdout.")] = False,
) -> None:
    """Show how every model fared in your runs, and which are about to go.

    Looked after are the recorded models and those of the configuration, with --check also those that the router knows.
    """
    import asyncio
    from datetime import UTC, datetime, timedelta

    from fusion_tool.cli import model_listings
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.cli.model_health import HealthReport, print_health, print_health_json
    from fusion_tool.models.health import TRACKER

    choices = ConfigOptions(preset=preset, config=config)
    configured = model_listings.candidates(choices.to_config(calls_models=False))
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


_LARGE_BYTES = 300_000_000
"""Downloads above this are asked about."""


@model.command()
def install(
    source: Annotated[
        str, typer.Argument(metavar="[NAME|PATH|hf:OWNER/REPO/FILE]", help="As 'fusion-tool model list' names it.")
    ] = "smollm2-135m",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a large download.")] = False,
) -> None:
    """Download a model, check it, keep it. Done already, it does nothing; broken off, it goes on where it ended."""
    from fusion_tool.cli.installation import show_installation
    from fusion_tool.models.local.catalog import is_installed
    from fusion_tool.models.local.install import parse_source

    wish = parse_source(source)
    # What the hub's files weigh is known only once they come.
    size = _LARGE_BYTES + 1 if wish.file_bytes is None else wish.file_bytes
    if size > _LARGE_BYTES and not yes and not is_installed(wish.name):
        _ask_before_download(wish.name, wish.file_bytes)
    show_installation(source)


def _ask_before_download(name: str, size: int | None) -> None:
    from fusion_tool.cli import terminal
    from fusion_tool.errors import ConfigError

    what = f"{name} is a download of {'unknown size' if size is None else f'{size / 1e9:.1f} GB'}"
    if not terminal.can_ask():
        raise ConfigError(f"{what}; say --yes to install it")
    typer.confirm(f"{what}. Go on?", abort=True, err=True)


@model.command("list")
def list_() -> None:
    """List the models that can be installed, and those that are."""
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.models.local.catalog import CATALOG, installed_models

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("model", "size", "state"):
        table.add_column(column, overflow="fold")
    installed = {model.name: model for model in installed_models()}
    for name in dict.fromkeys((*CATALOG, *installed)):
        size = installed[name].path.stat().st_size if name in installed else CATALOG[name].file_bytes
        state = f"installed at {installed[name].path}" if name in installed else "not installed"
        table.add_row(f"local:{name}", f"{size / 1e6:,.0f} MB", state)
    terminal.stdout().print(table)


@model.command()
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'fusion-tool model list' names it.")],
) -> None:
    """Delete an installed model, and what a broken-off download of it left."""
    from fusion_tool.models.local.install import remove as remove_files

    for path in remove_files(name):
        typer.echo(f"removed {path}", err=True)
