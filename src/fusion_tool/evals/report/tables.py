"""The summary as tables and sentences, and as Markdown."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fusion_tool.evals.statistics import Interval, Mean
from fusion_tool.evals.summary import ArmSummary, Summary

UNKNOWN = "unknown"


@dataclass(frozen=True)
class ReportSection:
    """One part of a report.

    Args:
        key: By which a page finds its picture.
        title: What it shows.
        columns: Of its table; empty where it has none.
        rows: One text a cell.
        sentences: Below the table.
    """

    key: str
    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    sentences: Sequence[str] = ()


def report_sections(summary: Summary) -> list[ReportSection]:
    """All parts that have something to tell."""
    made = [
        _scores(summary),
        ReportSection("comparisons", "Comparisons", sentences=_comparisons(summary)),
        ReportSection("lifts", "Where the gain comes from", sentences=[lift.sentence for lift in summary.lifts]),
        ReportSection("domains", "By domain", sentences=list(_domains(summary))),
        _table_by(summary, "axes", "Scores by axis"),
        _retention(summary),
        _hygiene(summary),
        _bill(summary),
        ReportSection("warnings", "Warnings", sentences=summary.warnings),
    ]
    return [sheet for sheet in made if sheet.rows or sheet.sentences]


def _scores(summary: Summary) -> ReportSection:
    graded = f"judge {summary.judge}" if summary.judge else "no judge"
    passes = f", {summary.passes} passes" if summary.passes > 1 else ""
    return ReportSection(
        "scores",
        f"{summary.tasks}: {summary.count} tasks, {graded}{passes}; scores in points of 100, 95 % intervals over tasks",
        ("arm", "score", "interval", "n", "refusals as 0", "answered", "verdicts in", "passed", "cost", "time"),
        [_arm(arm) for arm in summary.arms],
    )


def _arm(arm: ArmSummary) -> tuple[str, ...]:
    score = arm.score
    with_refusals = score.score_refusals_zero
    return (
        arm.name,
        format_points(score.score.value) if score.score else "-",
        format_interval(score.score),
        f"{score.scored} of {score.tasks}",
        format_points(with_refusals.value) if with_refusals else "-",
        f"{score.answered_share:.0%}",
        "-" if arm.coverage is None else f"{arm.coverage:.1%}",
        "-" if score.pass_rate is None else f"{score.pass_rate:.1%}",
        UNKNOWN if arm.cost_usd is None else f"${arm.cost_usd:.4f}",
        UNKNOWN if arm.seconds is None else f"{arm.seconds:.1f} s",
    )


def _comparisons(summary: Summary) -> list[str]:
    return [
        comparison.sentence + (f", p = {comparison.adjusted_p:.2g}" if comparison.adjusted_p is not None else "")
        for comparison in summary.comparisons
    ]


def _domains(summary: Summary) -> Iterator[str]:
    for domain, comparisons in summary.domains.items():
        for comparison in comparisons:
            yield f"{domain}: {comparison.sentence}"


def _table_by(summary: Summary, values_of: str, title: str) -> ReportSection:
    names = dict.fromkeys(name for arm in summary.arms for name in getattr(arm.score, values_of))
    rows = [
        (name, *(_mean(getattr(arm.score, values_of).get(name)) for arm in summary.arms))
        for name in (names if len(names) > 1 else ())
    ]
    return ReportSection(values_of, title, ("", *(arm.name for arm in summary.arms)), rows)


def _retention(summary: Summary) -> ReportSection:
    rows = [
        (
            arm.name,
            f"{row.seats}",
            f"{row.criteria}",
            f"{row.met}",
            f"{row.met / row.criteria:.0%}",
            percent(row.interval),
        )
        for arm in summary.arms
        if arm.retention
        for row in arm.retention.rows
    ]
    columns = ("arm", "met by seats", "criteria", "met by the answer", "share", "interval")
    return ReportSection("retention", "What the answer keeps of what its seats had (merits alone)", columns, rows)


def _hygiene(summary: Summary) -> ReportSection:
    columns = (
        "arm",
        "answers",
        "empty",
        "cut off",
        "thinks aloud",
        "talks of itself",
        "citations a 1,000 words",
        "supported",
    )
    rows = [
        (
            arm.name,
            *(str(count) for count in (h.answers, h.empty, h.truncated, h.reasoning_leaked, h.meta_text)),
            "-" if h.citations_per_1000_words is None else f"{h.citations_per_1000_words:.1f}",
            "-" if h.supported is None else f"{h.supported:.0%}",
        )
        for arm in summary.arms
        for h in (arm.hygiene,)
    ]
    return ReportSection("hygiene", "Hygiene", columns, rows)


def _bill(summary: Summary) -> ReportSection:
    parts = {
        "panels": summary.bill.panels,
        "judges and synthesizers": summary.bill.answers,
        "grading": summary.bill.grading,
        "total": summary.bill.total,
    }
    rows = [
        (
            name,
            str(len(usage.calls)),
            UNKNOWN if usage.input_tokens is None else f"{usage.input_tokens:,}",
            UNKNOWN if usage.output_tokens is None else f"{usage.output_tokens:,}",
            (UNKNOWN if usage.cost_usd is None else f"${usage.cost_usd:.4f}")
            + (
                f" + {usage.unpriced_calls} of unknown cost"
                if usage.unpriced_calls and usage.cost_usd is not None
                else ""
            ),
        )
        for name, usage in parts.items()
        if usage.calls
    ]
    return ReportSection("bill", "What was paid", ("", "calls", "tokens in", "tokens out", "cost"), rows)


def format_points(score: float) -> str:
    """A score, 0 to 1, in points of 100."""
    return f"{score * 100:.1f}"


def format_interval(mean: Mean | None) -> str:
    """A mean's interval in points of 100."""
    return (
        f"{format_points(mean.interval.low)} to {format_points(mean.interval.high)}" if mean and mean.interval else "-"
    )


def percent(interval: Interval | None) -> str:
    """A share's interval."""
    return f"{interval.low:.0%} to {interval.high:.0%}" if interval else "-"


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return "-"
    return f"{format_points(mean.value)} ({format_interval(mean)})" if mean.interval else format_points(mean.value)


_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def to_markdown(summary: Summary) -> str:
    """The report; nothing in it that came from a task, an arm or a model is read as markup."""
    return "\n".join(["# Evaluation", *(line for sheet in report_sections(summary) for line in _lines(sheet))]) + "\n"


def _lines(sheet: ReportSection) -> list[str]:
    lines = ["", f"## {_escape(sheet.title)}", ""]
    if sheet.rows:
        lines += [_row(sheet.columns), _row(["---", *["---:"] * (len(sheet.columns) - 1)], escape=False)]
        lines += [_row(row) for row in sheet.rows]
    return lines + [f"- {_escape(sentence)}" for sentence in sheet.sentences]


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(_escape(cell) if escape else cell for cell in cells)} |"


def _escape(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
