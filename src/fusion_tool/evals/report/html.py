"""A summary as one self-contained page with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fusion_tool.evals.report.charts import Dot, by_domain, kept, ranked, scatter
from fusion_tool.evals.report.tables import Sheet, sheets
from fusion_tool.evals.summary import Summary

if TYPE_CHECKING:
    from markupsafe import Markup

_NAMES = {"scores": "Scores", "retention": "What the answer keeps"}
_FRONTIER = (
    "Up and to the left is better. Hollow dots are beaten: another arm is at least as good, and cheaper or faster."
)


@dataclass(frozen=True)
class Picture:
    """A drawing with its caption."""

    drawn: "Markup"
    caption: str


@dataclass(frozen=True)
class Part:
    """A sheet, its short name, and its pictures."""

    sheet: Sheet
    name: str
    pictures: Sequence[Picture]


def to_html(summary: Summary) -> str:
    """The report as a page: no network, no script, every text escaped.

    Raises:
        ConfigError: The extra `evals` is not installed.
    """
    from fusion_tool.report.page import page, ready

    ready()
    drawn = {
        "scores": [*_scores(summary), *_frontiers(summary)],
        "domains": [Picture(picture, caption) for picture, caption in by_domain(summary)],
        "retention": [Picture(picture, caption) for picture, caption in kept(summary)],
    }
    parts = [Part(one, _NAMES.get(one.key, one.title), drawn.get(one.key, ())) for one in sheets(summary)]
    return page("evaluation.html", package="fusion_tool.evals", summary=summary, parts=parts)


def _scores(summary: Summary) -> list[Picture]:
    picture = ranked(summary)
    return [Picture(picture, "Each arm's mean score and its 95 % interval, in points of 100.")] if picture else []


def _frontiers(summary: Summary) -> list[Picture]:
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
            pictures.append(Picture(scatter(f"Score against {what}", what, dots), f"Score against {what}. {_FRONTIER}"))
    return pictures
