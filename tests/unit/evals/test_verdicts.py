"""What a judge replies, read tolerantly and never guessed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.evals.verdicts import InvalidVerdict, parse

MET = json.dumps({"explanation": "It says 1861.", "verdict": "MET"})


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (MET, (True, "It says 1861.")),
        ({"explanation": "No year.", "verdict": "UNMET"}, (False, "No year.")),
        (f"Here it is:\n```json\n{MET}\n```", (True, "It says 1861.")),
        ('{"verdict": "not met"}', (False, "")),
        ('{"verdict": "Met", "explanation": null}', (True, "")),
        ("{'explanation': 'cut', 'verdict': 'UNMET',", (False, "cut")),
        ("MET", (True, "")),
        ("**UNMET**.", (False, "")),
        ("Verdict: NOT MET", (False, "")),
        ("The year is there.\n\nVerdict: MET", (True, "The year is there.\n\nVerdict: MET")),
    ],
)
def test_a_verdict_in_any_dress(reply, expected):
    assert parse(reply) == expected


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "{}",
        "The criterion is met, I would say, though perhaps not.",
        "It could be MET or UNMET.",
        "Verdict: MET. On reflection, verdict: UNMET.",
        '{"verdict": "MOSTLY"}',
        '{"verdict": true}',
        '{"explanation": "It says 1861."}',
        '[{"met": true}]',
    ],
)
def test_what_says_neither_or_both_is_no_verdict(reply):
    with pytest.raises(InvalidVerdict):
        parse(reply)


@given(st.text() | st.dictionaries(st.text(), st.none() | st.booleans() | st.text()))
def test_anything_is_a_verdict_or_none(reply):
    try:
        met, explanation = parse(reply)
    except InvalidVerdict:
        return
    assert isinstance(met, bool)
    assert isinstance(explanation, str)


@given(st.text(), st.booleans())
def test_what_was_meant_is_what_is_read(explanation, met):
    said = json.dumps({"explanation": explanation, "verdict": "MET" if met else "UNMET"})
    assert parse(said) == (met, explanation.strip())
