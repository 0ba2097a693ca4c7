"""A summary as one self-contained HTML page with charts."""

from collections.abc import Sequence
from dataclasses import dataclass

from fusion_tool.evals.metrics import CHARTS
from fusion_tool.evals.report.charts import Chart, Dot, domain_charts, ranking_chart, scatter
from fusion_tool.evals.report.section import ReportSection
from fusion_tool.evals.report.tables import report_sections
from fusion_tool.evals.summary import Summary

_FRONTIER = (
    "Up and to the left is better. Hollow dots are beaten: another arm is at least as good, and cheaper or faster."
)


@dataclass(frozen=True)
class ReportPart:
    """A section with its short name and its charts."""

    section: ReportSection
    name: str
    charts: Sequence[Chart]


def to_html(summary: Summary) -> str:
    """Return the report as a page: no network, no script, every text escaped.

    Raises:
        ConfigError: The extra `report` is not installed.
    """
    from fusion_tool.config.installation import require_extra
    from fusion_tool.report.page import render_page

    require_extra("report")  # before the charts are drawn, by libraries that come with it
    drawings = {
        "scores": [*_scores(summary), *_frontiers(summary)],
        "domains": domain_charts(summary),
        **{name: charts(summary.arms) for name, charts in CHARTS.items()},
    }
    parts = [
        ReportPart(section, section.short_title or section.title, drawings.get(section.key, ()))
        for section in report_sections(summary)
    ]
    return render_page("evaluation.html", package="fusion_tool.evals", summary=summary, parts=parts)


def _scores(summary: Summary) -> list[Chart]:
    picture = ranking_chart(summary)
    return [Chart(picture, "Each arm's mean score and its 95 % interval, in points of 100.")] if picture else []


def _frontiers(summary: Summary) -> list[Chart]:
    axes = {
        "dollars an answer": [(arm, arm.cost_usd) for arm in summary.arms],
        "seconds an answer": [(arm, arm.seconds) for arm in summary.arms],
    }
    pictures = []
    for unit, values in axes.items():
        dots = [
            Dot(arm.name, x, arm.score.score.value * 100, arm.score.score.interval)
            for arm, x in values
            if x is not None and arm.score.score
        ]
        if len(dots) > 1:  # a single arm has nothing to be compared with
            pictures.append(Chart(scatter(f"Score against {unit}", unit, dots), f"Score against {unit}. {_FRONTIER}"))
    return pictures
