"""`fusion-tool model`: the record of how models fared, and the models that run on this machine."""

from pathlib import Path
from typing import Annotated

import typer

model = typer.Typer(
    name="model",
    help="How all models fared in your runs, which have aged; install, list, remove those that run on this machine.",
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
    from fusion_tool.config.database import database_address
    from fusion_tool.models.health import tracker_at

    choices = ConfigOptions(preset=preset, config=config)
    settings = choices.to_config(calls_models=False)
    configured, tracker = model_listings.candidates(settings), tracker_at(database_address(settings))
    now = datetime.now(UTC)
    # Without it the breakers would be new: this process has called no model.
    tracker.load_recent_now()
    rows = [(row, tracker.status(row.model)) for row in tracker.statistics(now - timedelta(days=days))]
    names = [row.model for row, _ in rows] + [panelist.model_name for panelist in configured]
    warnings = model_listings.retirement_warnings(names, now.date())
    if check:
        warnings += asyncio.run(
            model_listings.unlisted_models(
                [*configured, *model_listings.recorded_models(names), *model_listings.profiled_models()]
            )
        )
    (print_health_json if as_json else print_health)(HealthReport(days, rows, warnings, was_checked=check))


@model.command()
def check(
    *,
    preset: Annotated[str | None, typer.Option(help="Look at this preset's models. Default: budget.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Look at this file's models.")] = None,
) -> None:
    """Tell which models of your panel the price list no longer knows, retire, have a successor, or have old scores.

    Nobody is asked. Exit status: 0 where nothing has aged, else 5.
    """
    from datetime import UTC, datetime

    from fusion_tool.cli import model_listings
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.events import one_line
    from fusion_tool.routing.ages import age_models
    from fusion_tool.routing.profiles import load_profiles

    panelists = model_listings.candidates(ConfigOptions(preset=preset, config=config).to_config(calls_models=False))
    # No list knows what one's own server calls its models.
    ages = age_models((panelist.model_name for panelist in panelists if not panelist.base_url), load_profiles())
    today = datetime.now(UTC).date()
    lines = [f"{age.model}: {finding}" for age in ages for finding in age.findings(today)]
    for line in lines or [f"nothing has aged of {len(ages)} models"]:
        typer.echo(one_line(line, 200))
    raise typer.Exit(_AGED if lines else 0)


_AGED = 5
"""The exit status where a model has aged, as that of `eval watch` where one has changed."""
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
