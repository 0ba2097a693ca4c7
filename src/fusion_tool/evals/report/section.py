"""One section of a report, and how its figures are written."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_tool.evals.statistics import Interval, Mean

UNKNOWN = "unknown"


@dataclass(frozen=True)
class ReportSection:
    """One section of a report: a table, sentences, or both.

    Args:
        key: The name by which a page finds the section's charts.
        title: The heading.
        columns: Headings of the table's columns; empty where there is no table.
        rows: The table, a text for each cell.
        sentences: Lines below the table.
        short_title: The heading where there is little room; empty where the title is short enough.
    """

    key: str
    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()
    short_title: str = ""


def format_points(score: float) -> str:
    """Return a score, 0 to 1, in points of 100."""
    return f"{score * 100:.1f}"


def format_interval(mean: Mean | None) -> str:
    """Return a mean's interval in points of 100; `-` where it has none."""
    if mean is None or mean.interval is None:
        return "-"
    return f"{format_points(mean.interval.low)} to {format_points(mean.interval.high)}"


def format_share_interval(interval: Interval | None) -> str:
    """Return a share's interval in percent; `-` where it has none."""
    return f"{interval.low:.0%} to {interval.high:.0%}" if interval else "-"
