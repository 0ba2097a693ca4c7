"""Templates, and a fence that its content cannot close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.graph.prompts import render, section
from fusion_tool.tools.untrusted import fence

NONCE = "00ff17ab42cd"

hostile = st.lists(
    st.sampled_from([NONCE, NONCE[:5], NONCE[5:], NONCE[:1], NONCE[1:], "\n", ">>>", "<<<", " end", " begin "])
    | st.text(max_size=5)
).map("".join)


@given(hostile, hostile)
def test_a_fence_cannot_be_closed_from_inside(text, label):
    fenced = fence(text, label=label, nonce=NONCE)
    assert fenced.count(NONCE) == 2
    first, *_, last = fenced.split("\n")
    assert first.startswith(f"<<<{NONCE} begin")
    assert last == f"{NONCE} end>>>"


@given(st.text(alphabet=st.characters(exclude_characters=NONCE)))
def test_a_harmless_text_stands_as_it_is(text):
    assert fence(text, label="page", nonce=NONCE) == f"<<<{NONCE} begin page\n{text}\n{NONCE} end>>>"


def test_a_label_is_one_line():
    assert fence("x", label="a\nb\r\n c", nonce=NONCE).splitlines()[0] == f"<<<{NONCE} begin a b c"


@given(st.text())
def test_values_go_in_as_they_are(text):
    assert render("small_question", evidence="E", question=text) == f"E\n\nQuestion: {text}"


@pytest.mark.parametrize("text", ["costs $5", "$question", "${evidence}", "$$"])
def test_a_dollar_in_a_value_stays(text):
    assert text in render("question", question=text, context="", evidence="")


def test_a_forgotten_value_is_an_error():
    with pytest.raises(KeyError, match="example"):
        render("judge", flagged="", also="")


def test_a_section_without_text_is_nothing():
    assert section("Context", "") == ""
    assert section("Context", "known") == "# Context\n\nknown\n\n"
