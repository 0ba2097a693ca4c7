"""A run as one page: no network, no script, readable on a phone and on paper."""

from fusion_tool.report.run import FailedRun, to_html

__all__ = ["FailedRun", "to_html"]
