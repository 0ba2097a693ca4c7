"""Runs of arms: what a panel without an answer is recorded as."""

import pytest

from fusion_tool.errors import PanelFailed
from fusion_tool.evals.runner import _failed_row
from tests.unit.evals.folders import panel, references


@pytest.mark.parametrize(
    ("reasons", "reason", "is_final"),
    [
        (["refused", "refused"], "refused", True),
        (["refused", "timeout"], "timeout", False),
        (["timeout", "refused"], "timeout", False),
        (["timeout", "rate_limited"], "rate_limited", False),
        ([], "empty", False),
    ],
)
def test_only_a_panel_that_refused_as_a_whole_is_a_refusal(reasons, reason, is_final):
    rows = [
        {"stage": "panelist", "seat": "s", "model": "m", "reason": reason, "message": "-", "status_code": None}
        for reason in reasons
    ]
    row = _failed_row(panel(), references(1)[0], PanelFailed(rows))
    assert (row.reason, row.is_final) == (reason, is_final)
