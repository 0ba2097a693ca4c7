"""Text is cut to what a picture has room for, by the broadest font that it may be shown in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.report.text_width import cut_to_width, text_width


@pytest.mark.parametrize(
    ("text", "pixels", "shown"),
    [
        ("gpt-5", 60, "gpt-5"),
        ("p" * 20, 100, "p" * 9 + "…"),
        ("m" * 20, 100, "m" * 6 + "…"),
        ("i" * 20, 100, "i" * 15 + "…"),
        ("字" * 20, 100, "字" * 6 + "…"),
        ("e\u0301" * 5, 45, "e\u0301" * 5),
        ("abc", 0, "…"),
        ("", 0, ""),
    ],
)
def test_text_is_cut_to_its_room(text, pixels, shown):
    assert cut_to_width(text, pixels) == shown


@given(st.text(max_size=60), st.floats(13, 400))
def test_what_is_shown_fits(text, pixels):
    assert text_width(cut_to_width(text, pixels)) <= pixels
