"""Metrics beside the score: what else a report says of an arm's answers.

A metric is a module with `compute`, which makes its value from one arm's rows, and `section`, which makes its part of
a report from all arms. A metric that can be drawn has `charts`. A new one is a module here and its entry below.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fusion_tool.evals.metrics import co_failure, hygiene, lifts, retention

if TYPE_CHECKING:
    from fusion_tool.evals.report.charts import Chart
    from fusion_tool.evals.report.section import ReportSection
    from fusion_tool.evals.results import Results
    from fusion_tool.evals.rows import AnswerRow
    from fusion_tool.evals.summary import ArmSummary


class Metric(Protocol):
    """A module of this package."""

    def compute(self, results: "Results", rows: "Sequence[AnswerRow]") -> Any:
        """Return the value for an arm, which `ArmSummary.metrics` keeps by the metric's name."""

    def section(self, arms: "Sequence[ArmSummary]") -> "ReportSection":
        """Return the report's part; one without rows and sentences is left out."""


METRICS: Mapping[str, Metric] = {
    "lifts": lifts,
    "co_failure": co_failure,
    "retention": retention,
    "hygiene": hygiene,
}
"""The metrics by name, in a report's order."""

CHARTS: "Mapping[str, Callable[[Sequence[ArmSummary]], list[Chart]]]" = {"retention": retention.charts}
"""The drawings of those that have one, by name."""
