"""A summary as one self-contained page with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_tool.evals.report.charts import Dot, domain_charts, ranking_chart, retention_charts, scatter
from fusion_tool.evals.report.tables import ReportSection, report_sections
from fusion_tool.evals.summary import Summary

if TYPE_CHECKING:
    from markupsafe import Markup

_NAMES = {"scores": "Scores", "retention": "What the answer keeps"}
_FRONTIER = (
    "Up and to the left is better. Hollow dots are beaten: another arm is at least as good, and cheaper or faster."
)


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption."""

    svg: "Markup"
    caption: str


@dataclass(frozen=True)
class ReportPart:
    """A sheet, its short name, and its pictures."""

    section: ReportSection
    name: str
    pictures: Sequence[Figure]


def to_html(summary: Summary) -> str:
    """The report as a page: no network, no script, every text escaped.

    Raises:
        ConfigError: The extra `evals` is not installed.
    """
    from fusion_tool.report.page import render_page, require_report_extra

    require_report_extra()
    drawn = {
        "scores": [*_scores(summary), *_frontiers(summary)],
        "domains": [Figure(picture, caption) for picture, caption in domain_charts(summary)],
        "retention": [Figure(picture, caption) for picture, caption in retention_charts(summary)],
    }
    parts = [
        ReportPart(section, _NAMES.get(section.key, section.title), drawn.get(section.key, ()))
        for section in report_sections(summary)
    ]
    return render_page("evaluation.html", package="fusion_tool.evals", summary=summary, parts=parts)


def _scores(summary: Summary) -> list[Figure]:
    picture = ranking_chart(summary)
    return [Figure(picture, "Each arm's mean score and its 95 % interval, in points of 100.")] if picture else []


def _frontiers(summary: Summary) -> list[Figure]:
    axes = {
        "dollars an answer": [(arm, arm.cost_usd) for arm in summary.arms],
        "seconds an answer": [(arm, arm.seconds) for arm in summary.arms],
    }
    pictures = []
    for what, known in axes.items():
        dots = [
            Dot(arm.name, x, arm.score.score.value * 100, arm.score.score.interval)
            for arm, x in known
            if x is not None and arm.score.score
        ]
        if len(dots) > 1:
            pictures.append(Figure(scatter(f"Score against {what}", what, dots), f"Score against {what}. {_FRONTIER}"))
    return pictures
