"""A summary as sections of tables and sentences, and those as Markdown."""

import re
from collections.abc import Iterator, Sequence

from fusion_tool.evals.metrics import METRICS
from fusion_tool.evals.report.section import UNKNOWN, ReportSection, format_interval, format_points
from fusion_tool.evals.statistics import Mean
from fusion_tool.evals.summary import ArmSummary, Summary


def report_sections(summary: Summary) -> list[ReportSection]:
    """Return all sections that hold a row or a sentence, in their order."""
    metrics = {name: metric.section(summary.arms) for name, metric in METRICS.items()}
    sections = [
        _scores(summary),
        ReportSection("comparisons", "Comparisons", sentences=_comparisons(summary)),
        metrics.pop("lifts"),  # lifts are comparisons, too
        ReportSection("domains", "By domain", sentences=list(_domains(summary))),
        _table_by(summary, "axes", "Scores by axis"),
        *metrics.values(),
        _bill(summary),
        ReportSection("warnings", "Warnings", sentences=summary.warnings),
    ]
    return [section for section in sections if section.rows or section.sentences]


def _scores(summary: Summary) -> ReportSection:
    judge = f"judge {summary.judge}" if summary.judge else "no judge"
    passes = f", {summary.passes} passes" if summary.passes > 1 else ""
    return ReportSection(
        "scores",
        f"{summary.tasks}: {summary.count} tasks, {judge}{passes}; scores in points of 100, 95 % intervals over tasks",
        ("arm", "score", "interval", "n", "refusals as 0", "answered", "verdicts in", "passed", "cost", "time"),
        [_arm(arm) for arm in summary.arms],
        short_title="Scores",
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
    # A single axis would only say again what the scores say.
    rows = [
        (name, *(_mean(getattr(arm.score, values_of).get(name)) for arm in summary.arms))
        for name in (names if len(names) > 1 else ())
    ]
    return ReportSection(values_of, title, ("", *(arm.name for arm in summary.arms)), rows)


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


def _mean(mean: Mean | None) -> str:
    if mean is None:
        return "-"
    return f"{format_points(mean.value)} ({format_interval(mean)})" if mean.interval else format_points(mean.value)


# Names of tasks, arms and models come from files and command lines: none of them may become a link or break a table.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&])")


def to_markdown(summary: Summary) -> str:
    """Return the report as Markdown; nothing in it that came from a task, an arm or a model is read as markup."""
    lines = [line for section in report_sections(summary) for line in _lines(section)]
    return "\n".join(["# Evaluation", *lines]) + "\n"


def _lines(section: ReportSection) -> list[str]:
    lines = ["", f"## {_escape(section.title)}", ""]
    if section.rows:
        lines += [_row(section.columns), _row(["---", *["---:"] * (len(section.columns) - 1)], escape=False)]
        lines += [_row(row) for row in section.rows]
    return lines + [f"- {_escape(sentence)}" for sentence in section.sentences]


def _row(cells: Sequence[str], *, escape: bool = True) -> str:
    return f"| {' | '.join(_escape(cell) if escape else cell for cell in cells)} |"


def _escape(text: str) -> str:
    # On one line: a line feed would end the cell, and the table with it.
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
