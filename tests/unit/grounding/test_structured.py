"""Citations in an answer that is JSON."""

import json

import pytest

from fusion_tool.grounding.structured import renumber_json

ONE, TWO = "1a2b3c4d", "5e6f7a8b"
KNOWN = {ONE: None, TWO: None}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"year": f"1861 [{ONE}]."}, {"year": "1861 [1]."}),
        ({"a": f"x [{TWO}]", "b": [f"y [{ONE}] [{TWO}]"]}, {"a": "x [1]", "b": ["y [2] [1]"]}),
        ({"sources": [ONE, TWO]}, {"sources": [ONE, TWO]}),
        ({"sources": ["deadbeef", "1"], "n": [1]}, {"sources": ["deadbeef", "1"], "n": [1]}),
        ({"a": "invented [deadbeef]."}, {"a": "invented."}),
        ({"ü": None, "t": True, "f": 1.5}, {"ü": None, "t": True, "f": 1.5}),
    ],
)
def test_numbers_stand_in_its_strings_and_the_rest_is_as_it_was(value, written):
    assert json.loads(renumber_json(json.dumps(value), KNOWN).text) == written


def test_one_numbering_runs_through_it():
    numbered = renumber_json(json.dumps([f"[{TWO}]", {"x": f"[{ONE}] [deadbeef]"}]), KNOWN)
    assert (numbered.numbers, numbered.dropped) == ({TWO: 1, ONE: 2}, ["deadbeef"])


def test_what_is_no_json_is_markdown():
    assert renumber_json(f"Built in 1861 [{ONE}].", KNOWN).text == "Built in 1861 [1]."
