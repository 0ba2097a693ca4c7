"""What may reach a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.cli.terminal import format_seconds, format_usd, printable, printable_line


@given(st.text())
def test_nothing_printable_steers_a_terminal(text: str) -> None:
    kept = printable(text)
    assert {c for c in kept if unicodedata.category(c) == "Cc"} <= {"\t", "\n"}
    assert printable(kept) == kept


@given(st.lists(st.text(), max_size=5))
def test_pieces_are_cleaned_as_their_whole(pieces: list[str]) -> None:
    assert "".join(map(printable, pieces)) == printable("".join(pieces))


@given(st.text(), st.integers(1, 50))
def test_a_line_is_one_line_and_fits(text: str, longest: int) -> None:
    assert len(printable_line(text, longest)) <= longest
    assert len(printable_line(text, longest).splitlines()) <= 1


@pytest.mark.parametrize(("cost", "shown"), [(None, "unknown"), (0.0, "$0.0000"), (0.12345, "$0.1235")])
def test_unknown_is_never_zero(cost: float | None, shown: str) -> None:
    assert format_usd(cost) == shown
    assert format_seconds(None) == "unknown"
