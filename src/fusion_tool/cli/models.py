"""`fusion-tool models`: how the models fared, and which of them are about to go."""

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

    from fusion_tool.cli import doubts
    from fusion_tool.cli.choices import Choices
    from fusion_tool.cli.fared import Fared, print_fared, print_json
    from fusion_tool.health import learn, standing, summary
    from fusion_tool.settings import DEFAULT_PRESET

    choices = Choices(preset=preset or (None if config else DEFAULT_PRESET), config=config)
    configured = doubts.candidates(choices.configuration())
    now = datetime.now(UTC)
    learn()
    rows = [(row, standing(row.model)) for row in summary(now - timedelta(days=days))]
    names = [row.model for row, _ in rows] + [one.model_name for one in configured]
    warnings = doubts.retiring(names, now.date())
    if check:
        warnings += asyncio.run(doubts.unlisted([*configured, *doubts.recorded(names), *doubts.profiled()]))
    (print_json if as_json else print_fared)(Fared(days, rows, warnings, was_checked=check))
