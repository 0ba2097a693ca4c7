"""A run as one page: no network, no script, readable on a phone and on paper.

run         a result, or a failed run, as a page
page        templates, style and policy, for any page
picture     lanes over an axis as inline SVG, for any page
prose       a model's Markdown as harmless HTML with citations
timeline    who worked when
bill        what was paid for
comparison  who said what
words       the closed sets in plain words
"""

from fusion_tool.report.run import FailedRun, to_html

__all__ = ["FailedRun", "to_html"]
