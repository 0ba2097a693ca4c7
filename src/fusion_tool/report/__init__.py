"""A run as one page of HTML, without network and script, readable on a phone and on paper.

`run` puts the page together: `markdown` renders what models wrote, `matrix` the judge's analysis, `charts` the timeline
and the bill; `labels` has the words, and `page` the templates and the policy that keeps everything else out.
"""

from fusion_tool.report.run import FailedRun, to_html

__all__ = ["FailedRun", "to_html"]
