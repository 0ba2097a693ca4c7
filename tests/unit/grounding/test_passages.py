import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.passages import split_sentences


def cut(text):
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("It cost 1.5 million. Then 3.5 more.", ["It cost 1.5 million.", "Then 3.5 more."]),
        ("Dr. Smith met J. K. Rowling. They spoke.", ["Dr. Smith met J. K. Rowling.", "They spoke."]),
        ("Fruit, e.g. apples, is sold in the U.S. market.", ["Fruit, e.g. apples, is sold in the U.S. market."]),
        ("A claim. [1a2b3c4d] Another.", ["A claim. [1a2b3c4d]", "Another."]),
        ("A claim.[1a2b3c4d][5e6f7a8b] Another.", ["A claim.[1a2b3c4d][5e6f7a8b]", "Another."]),
        ('He said "yes." Then left.', ['He said "yes."', "Then left."]),
        ("A soft\nbreak stays. Next.", ["A soft\nbreak stays.", "Next."]),
        ("A paragraph\n\nanother", ["A paragraph", "another"]),
        ("# Title\nText follows.", ["Title", "Text follows."]),
        ("- one\n- two\n  goes on\n1. three", ["one", "two\n  goes on", "three"]),
        ("| a | b |\n|---|---|\n| c | d |", ["a | b", "c | d"]),
        ("Above\n---\nBelow", ["Above", "Below"]),
        ("第一句。第二句。", ["第一句。", "第二句。"]),
    ],
)
def test_text_is_cut_into_sentences(text, expected):
    assert cut(text) == expected


@given(st.text(alphabet="ab AB.!?\n-#|[1]\"'3 ", max_size=80))
def test_sentences_are_in_order_disjoint_and_lose_no_letter(text):
    spans = split_sentences(text)
    assert all(start < end for start, end in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    assert "".join(c for c in "".join(cut(text)) if c.isalpha()) == "".join(c for c in text if c.isalpha())
