"""The record of how models fared, as a table or as JSON."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import typer
from rich.table import Table

from fusion_tool.cli import terminal
from fusion_tool.cli.model_listings import ModelWarning
from fusion_tool.events import UNKNOWN, format_cost, one_line
from fusion_tool.models.breaker import BreakerStatus
from fusion_tool.models.health_statistics import ModelHealth
from fusion_tool.models.outcomes import KEEP_DAYS, default_path

_COLUMNS = ("model", "answered", "not", "first token", "answer", "cost", "tokens", "now")
_TEXTS = frozenset({"model", "not", "now"})
_THOUSAND = 1000


@dataclass(frozen=True)
class HealthReport:
    """What `fusion-tool model health` shows.

    Args:
        days: How many days back the calls go.
        rows: Each model's record, and its state in the breaker now.
        warnings: Models that retire or are no longer listed.
        was_checked: Whether the providers were asked for their lists.
    """

    days: float
    rows: Sequence[tuple[ModelHealth, BreakerStatus]]
    warnings: Sequence[ModelWarning]
    was_checked: bool


def print_health(report: HealthReport) -> None:
    """Print the table and the warnings on stdout, and on stderr how they are to be read."""
    console, aside = terminal.stdout(), terminal.stderr()
    if report.rows:
        console.print(_table(report.rows))
        legend = "first token: half of the answers (and nine of ten) had begun; answer: half of them had ended; "
        aside.print(
            f"{legend}tokens: in and out; aside: tried last, after failing in a row", style="dim", soft_wrap=True
        )
    else:
        console.print(f"No call of the last {report.days:g} days is recorded; every run records its calls.")
    for warning in report.warnings:
        line = f"warning: {one_line(warning.model)} {one_line(warning.detail)}"
        console.print(line, style="yellow", soft_wrap=True)
    if not report.was_checked:
        aside.print("whether the providers still list the models: --check", style="dim")
    where = f"recorded in {default_path()}, each call for {KEEP_DAYS} days; delete the file to forget them"
    aside.print(where, style="dim", soft_wrap=True)


def print_health_json(report: HealthReport) -> None:
    """Print the report as one JSON object."""
    # `asdict` knows fields alone, and the share is a property.
    rows = [asdict(row) | {"answered_share": row.answered_share, "now": asdict(now)} for row, now in report.rows]
    body: dict[str, Any] = {
        "days": report.days,
        "path": str(default_path()),
        "models": rows,
        "warnings": [asdict(warning) for warning in report.warnings],
    }
    typer.echo(json.dumps(body, indent=2, default=str))


def _table(rows: Sequence[tuple[ModelHealth, BreakerStatus]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in _COLUMNS:
        justify: Literal["left", "right"] = "left" if name in _TEXTS else "right"
        table.add_column(name, justify=justify, no_wrap=name == "model", overflow="fold")
    for row, now in rows:
        table.add_row(
            one_line(row.model),
            # Of the calls that ended: one that was cut off by somebody says nothing about its model.
            "-" if row.answered_share is None else f"{row.answered_share:.0%} of {row.calls - row.cut:,}",
            _failures(row),
            _seconds(row.first_token_p50, row.first_token_p90),
            _seconds(row.seconds_p50),
            format_cost(row.cost_usd, row.unpriced),
            f"{_count(row.input_tokens)}/{_count(row.output_tokens)}",
            _state(now),
        )
    return table


def _failures(row: ModelHealth) -> str:
    reasons = [f"{count} {reason}" for reason, count in row.failed.items()]
    return "\n".join([*reasons, *([f"{row.cut} cut off"] if row.cut else [])])


def _seconds(median: float | None, p90: float | None = None) -> str:
    if median is None:
        return "-"
    return f"{median:.1f} s" if p90 is None else f"{median:.1f}/{p90:.1f} s"


def _count(tokens: int | None) -> str:
    if tokens is None:
        return UNKNOWN
    return f"{tokens}" if tokens < _THOUSAND else f"{tokens / _THOUSAND:,.0f}k"


def _state(now: BreakerStatus) -> str:
    match now.state:
        case "open":
            seconds = max(0.0, (now.until or 0.0) - time.time())
            return f"aside {seconds:.0f} s"
        case "half_open":
            return "on trial"
    return "in use"
