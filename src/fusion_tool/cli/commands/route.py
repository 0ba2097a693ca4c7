"""`fusion-tool route`: the plan of `--strategy auto` for a question, and its reasons. No model is called."""

import sys
from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_tool.cli.commands import options

if TYPE_CHECKING:
    from fusion_tool.config.schema import FusionConfig
    from fusion_tool.routing.candidates import Candidate
    from fusion_tool.routing.choose import Choice

_UNKNOWN_QUALITY = "no score"
_MOST_ALIKE = 5
"""Models that are listed one by one though none was compared, for the same reason."""


def route(  # noqa: PLR0913 - each is an option of the command line
    question: options.Question,
    *,
    preset: Annotated[
        str | None,
        typer.Option(
            help="The panel for unclear questions. Default: budget.",
            rich_help_panel=options.PANEL,
            autocompletion=options.complete_preset,
        ),
    ] = None,
    config: options.Config = None,
    model: options.Model = None,
    context: options.Context = "",
    quality: options.Quality = None,
    privacy: options.Privacy = None,
    deny: options.Deny = None,
    open_weights: options.OpenWeights = False,
    no_search: options.NoSearch = False,
    bash: options.Bash = None,
    max_usd: options.MaxUsd = None,
    max_seconds: options.MaxSeconds = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Where nothing meets the limits, show what comes nearest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
) -> None:
    """Show which models --strategy auto would ask, how, and why, before anything is spent."""
    from fusion_tool.cli import terminal
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.errors import ConfigError

    config_options = ConfigOptions(
        preset=preset,
        config=config,
        models=tuple(model or ()),
        quality=quality,
        privacy=privacy,
        deny=tuple(deny or ()),
        require_open_weights=open_weights,
        no_search=no_search,
        bash=bash,
        usd=max_usd,
        seconds=max_seconds,
    )
    text, known = terminal.read_input(question, context)
    try:
        run_config = config_options.to_config(calls_models=False)
        choice, run_config = _choose(text, known, run_config, nearest=nearest)
    except ConfigError as error:
        raise config_options.in_option_terms(error) from None
    if as_json:
        _dump(choice)
    else:
        _show(choice, run_config)


def _choose(question: str, context: str, config: "FusionConfig", *, nearest: bool) -> "tuple[Choice, FusionConfig]":
    """Return the plan, and the configuration that a run by it has."""
    import asyncio

    from fusion_tool.graph.nodes.route import settle_run
    from fusion_tool.graph.runtime import GraphOptions
    from fusion_tool.graph.state import FusionState
    from fusion_tool.graph.strategies import strategy_named
    from fusion_tool.models.providers import missing_keys, openable_providers

    auto = config.model_copy(update={"strategy": "auto"})
    asked = FusionState(question=question, context=context)
    # As a run begins, so that it refuses what `ask` would.
    decision = asyncio.run(
        settle_run(asked, auto, GraphOptions(), keyed=openable_providers(), nearest=nearest)
    ).decision
    assert decision.choice is not None  # noqa: S101 - `auto` always chooses
    roles = (role for _, role in strategy_named(decision.config.strategy).roles(decision.config))
    missing = [f"needs {key} to run, which is not set" for key in missing_keys(roles)]
    reason = "; ".join((decision.choice.reason, *decision.notes, *missing))
    return replace(decision.choice, reason=reason), decision.config


def _dump(choice: "Choice") -> None:
    import json

    plan: dict[str, Any] = {
        "strategy": choice.strategy,
        "panel": [{"model": seat.model_name, "fallbacks": list(seat.fallbacks)} for seat in choice.panel],
        "judge": choice.judge and choice.judge.model_name,
        "synthesizer": choice.synthesizer and choice.synthesizer.model_name,
        "reason": choice.reason,
        "usd": choice.usd,
        "signals": choice.signals.model_dump(mode="json"),
        "candidates": [asdict(candidate) for candidate in choice.candidates],
    }
    sys.stdout.write(json.dumps(plan, indent=2) + "\n")


def _show(choice: "Choice", config: "FusionConfig") -> None:
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.events import format_usd, one_line

    console = terminal.stdout()
    console.print(one_line(choice.reason, 1000), soft_wrap=True)
    console.print(f"\n{choice.strategy}: {format_usd(choice.usd)} expected", style="bold")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "model", "where it fails"):
        table.add_column(column, overflow="fold")
    for number, seat in enumerate(choice.panel, start=1):
        table.add_row(f"seat {number}", one_line(seat.model_name), one_line(", ".join(seat.fallbacks)))
    if len(choice.panel) > 1:
        # Where the router chose none, the configured one works.
        for role, panelist in (
            ("judge", choice.judge or config.judge_or_default),
            ("synthesis", choice.synthesizer or config.synthesizer_or_default),
        ):
            table.add_row(role, one_line(panelist.model_name), one_line(", ".join(panelist.fallbacks)))
    console.print(table)
    _show_candidates(choice.candidates)


def _show_candidates(candidates: "tuple[Candidate, ...]") -> None:
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.events import UNKNOWN, format_usd, one_line

    console = terminal.stdout()
    # Many that were never compared, for one reason, would hide those that were.
    alike = Counter(candidate.rejection for candidate in candidates if candidate.score is None)
    sums = {why: count for why, count in alike.items() if count > _MOST_ALIKE or why == _UNKNOWN_QUALITY}
    rows = [candidate for candidate in candidates if candidate.score is not None or candidate.rejection not in sums]
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nConsidered", title_justify="left")
    for column in ("model", "score", "of the best", "one seat", "why not"):
        table.add_column(column, justify="left" if column in ("model", "why not") else "right", overflow="fold")
    for row in rows:
        score = UNKNOWN if row.score is None else f"{row.score:g}"
        quality = UNKNOWN if row.quality is None else f"{row.quality:.3f}"
        table.add_row(one_line(row.model), score, quality, format_usd(row.usd), one_line(row.rejection or ""))
    if rows:
        console.print(table)
    for why, count in sums.items():
        told = (
            "without a score that tells how good they are here"
            if why == _UNKNOWN_QUALITY
            else one_line(f"not asked: {why}")
        )
        console.print(f"\n{count} more {told}.")
