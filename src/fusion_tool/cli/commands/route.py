"""`fusion-tool route`: what `--strategy auto` would do with a question, and why. Nothing is asked of anybody."""

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fusion_tool.config.choices import Privacy, Shell

if TYPE_CHECKING:
    from fusion_tool.config.schema import FusionConfig
    from fusion_tool.routing.candidates import Candidate
    from fusion_tool.routing.choose import Choice

_UNKNOWN_QUALITY = "no score"


def route(  # noqa: PLR0913 - each is an option of the command line
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out; - reads standard input.")],
    *,
    preset: Annotated[str | None, typer.Option(help="The panel for unclear questions. Default: budget.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the preset's.")] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="PROVIDER:MODEL", help="A seat of that panel; repeat it.")
    ] = None,
    context: Annotated[str, typer.Option(help="What you already know.")] = "",
    quality: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Good enough, as a share of the best allowed model.")
    ] = None,
    privacy: Annotated[Privacy | None, typer.Option(help="As for ask.")] = None,
    deny: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="As for ask; repeat it.")] = None,
    open_weights: Annotated[bool, typer.Option("--open-weights", help="As for ask.")] = False,
    no_search: Annotated[bool, typer.Option("--no-search", help="No web tools.")] = False,
    bash: Annotated[Shell | None, typer.Option(help="The sandboxed shell.")] = None,
    max_usd: Annotated[float | None, typer.Option(metavar="USD", help="As for ask.")] = None,
    max_seconds: Annotated[float | None, typer.Option(metavar="SECONDS", help="As for ask.")] = None,
    nearest: Annotated[
        bool, typer.Option("--nearest", help="Where nothing meets the limits, show what comes nearest.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The plan as JSON.")] = False,
) -> None:
    """Show which models --strategy auto would ask, how, and why, before anything is spent."""
    from fusion_tool.cli.config_options import ConfigOptions
    from fusion_tool.config.loading import DEFAULT_PRESET
    from fusion_tool.errors import ConfigError

    choices = ConfigOptions(
        preset=preset or (None if config or model else DEFAULT_PRESET),  # a plan needs no key
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
    asked = sys.stdin.read() if question == "-" else question
    try:
        settings = choices.to_config()
        choice = _choose(asked, context, settings, nearest=nearest)
    except ConfigError as error:
        raise choices.in_option_terms(error) from None
    if as_json:
        _dump(choice)
    else:
        _show(choice, settings)


def _choose(question: str, context: str, config: "FusionConfig", *, nearest: bool) -> "Choice":
    import asyncio

    from fusion_tool.errors import ConfigError
    from fusion_tool.models.providers import PROVIDERS, providers_with_key
    from fusion_tool.routing.decide import decide

    if not question.strip():
        raise ConfigError("is empty; ask something", field="question")
    keyed = providers_with_key() or frozenset(PROVIDERS)  # without any, a plan as if all were set
    auto = config.model_copy(update={"strategy": "auto"})
    decision = asyncio.run(decide(auto, question, context, keyed=keyed, nearest=nearest))
    assert decision.choice is not None  # noqa: S101 - `auto` always chooses
    return replace(decision.choice, reason="; ".join((decision.choice.reason, *decision.notes)))


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
        for role, given, kept in (
            ("judge", choice.judge, config.judge_or_default),
            ("synthesis", choice.synthesizer, config.synthesizer_or_default),
        ):
            note = given or kept
            table.add_row(role, one_line(note.model_name), one_line(", ".join(note.fallbacks)))
    console.print(table)
    _show_candidates(choice.candidates)


def _show_candidates(candidates: "tuple[Candidate, ...]") -> None:
    from rich.table import Table

    from fusion_tool.cli import terminal
    from fusion_tool.events import UNKNOWN, format_usd, one_line

    console = terminal.stdout()
    told = [candidate for candidate in candidates if candidate.rejection != _UNKNOWN_QUALITY]
    table = Table(box=None, pad_edge=False, header_style="bold", title="\nConsidered", title_justify="left")
    for column in ("model", "score", "of the best", "one seat", "why not"):
        table.add_column(column, justify="left" if column in ("model", "why not") else "right", overflow="fold")
    for note in told:
        score = UNKNOWN if note.score is None else f"{note.score:g}"
        quality = UNKNOWN if note.quality is None else f"{note.quality:.3f}"
        table.add_row(one_line(note.model), score, quality, format_usd(note.usd), one_line(note.rejection or ""))
    if told:
        console.print(table)
    if len(told) < len(candidates):
        console.print(f"\n{len(candidates) - len(told)} more without a score that tells how good they are here.")
