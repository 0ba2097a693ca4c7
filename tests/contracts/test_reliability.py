"""The documented fault matrix is the one that is run."""

from fusion_tool.errors import REASONS, TOOL_REASONS
from tests.integration.fault_matrix import FAULTS, PAGE, documented


def test_the_documented_matrix_is_the_tested_one():
    """`python -m tests.integration.fault_matrix` writes it."""
    page = PAGE.read_text("utf-8")
    assert documented(page) == page


def test_every_reason_is_explained():
    page = PAGE.read_text("utf-8")
    assert [reason for reason in (*REASONS, *TOOL_REASONS) if f"| `{reason}` |" not in page] == []


def test_the_matrix_uses_no_other_reasons():
    assert {fault.reason for fault in FAULTS if fault.reason} <= set(REASONS)
