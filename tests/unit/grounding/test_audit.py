import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.audit import audit_citations, audit_numbered
from fusion_tool.grounding.citations import number_citations, number_citations_in_json
from fusion_tool.grounding.sources import RetrievedSource

A, B, UNKNOWN = "1a2b3c4d", "5e6f7a8b", "deadbee0"


def page(name, text):
    return RetrievedSource(id=name, url=f"https://example.org/{name}", title="", kind="page", text=text)


SOURCES = {
    A: page(A, "The Falcon probe cost $1.2 million. Revenue rose 12 percent in 2021."),
    B: page(B, "Costs fell by 3% in 2021. The Falcon probe was built in Lyon."),
}


def rows(text):
    return [(verdict.claim, verdict.id, verdict.support) for verdict in audit_citations(text, SOURCES).verdicts]


@pytest.mark.parametrize(
    "text",
    [
        f"The Falcon probe cost $1.2 million [{A}].",
        f"The Falcon probe cost $1.2 million. [{A}]",
        f"The Falcon probe cost $1.2 million.[{A}]",
        f"The Falcon probe cost $1.2 million. ([{A}]) Something else follows.",
        f"- The Falcon probe cost $1.2 million [{A}]\n- Something else",
        f"# Cost\nThe Falcon probe cost $1.2 million\n[{A}]",
        f"| what | cost |\n|---|---|\n| The Falcon probe | $1.2 million [{A}] |",
    ],
)
def test_a_citation_is_held_against_the_sentence_it_stands_for(text):
    ((_, source, support),) = rows(text)
    assert (source, support) == (A, "supported")


def test_every_source_of_a_sentence_is_judged():
    found = rows(f"The Falcon probe cost $1.2 million [{A}, {B}].")
    assert [(source, support) for _, source, support in found] == [(A, "supported"), (B, "weak")]


def test_each_of_several_citations_stands_for_the_words_since_the_one_before():
    found = rows(f"Revenue rose 12 percent in 2021 [{A}], while costs fell 3 percent in 2021 [{B}].")
    assert [(source, support) for _, source, support in found] == [(A, "supported"), (B, "supported")]


def test_a_citation_after_too_few_words_to_claim_anything_stands_for_the_sentence():
    found = rows(f"The Falcon [{B}] probe cost $1.2 million [{A}].")
    assert [source for _, source, _ in found] == [B, A]
    assert found[0][0] == "The Falcon probe cost $1.2 million ."


def test_a_source_is_shown_with_the_worst_verdict_of_its_claims():
    text = (
        f"The Falcon probe cost $1.2 million [{A}]. Revenue rose 12 percent in 2021 [{A}]. "
        f"The Falcon probe cost $2.9 million [{A}]. It was built in Lyon [{B}]."
    )
    result = audit_citations(text, SOURCES)
    assert result.support == {A: "mismatch", B: "supported"}
    assert result.counts == {"supported": 3, "weak": 0, "mismatch": 1, "unknown": 0}


def test_ids_never_retrieved_are_counted_once_and_not_judged():
    result = audit_citations(f"One thing [{UNKNOWN}]. Another [{UNKNOWN}][{A}].", SOURCES)
    assert result.unknown == (UNKNOWN,)
    assert result.counts["unknown"] == 1
    assert {verdict.id for verdict in result.verdicts} == {A}


def test_the_title_is_read_with_the_text():
    titled = {A: RetrievedSource(id=A, url="u", title="The Falcon probe", kind="page", text="It cost $1.2 million.")}
    assert audit_citations(f"The Falcon probe cost $1.2 million [{A}].", titled).support == {A: "supported"}


@pytest.mark.parametrize("text", ["", "No citation.", f"`[{A}]`", f"```\n[{A}]\n```"])
def test_without_citations_there_is_nothing_to_judge(text):
    result = audit_citations(text, SOURCES)
    assert (result.verdicts, result.unknown, result.support) == ((), (), {})


def test_each_place_has_its_own_verdict_with_the_words_it_was_compared_with():
    text = f"Revenue rose 12 percent in 2021 [{A}]. The Falcon probe cost $2.9 million [{A}]. It flew."
    numbered = number_citations(text, SOURCES)
    true, false = audit_numbered(numbered, SOURCES).verdicts
    assert (true.support, false.support) == ("supported", "mismatch")
    assert "Revenue rose 12 percent in 2021." in true.passage
    assert "The Falcon probe cost $1.2 million." in false.passage
    assert false.sentence == "The Falcon probe cost $2.9 million [1]."
    assert [numbered.text[row.start : row.end] for row in (true, false)] == ["[1]", "[1]"]


def test_a_passage_is_at_most_400_characters_and_those_with_the_claim():
    filler = " ".join(f"and then item {n} was put on the list" for n in range(60))
    long = {A: page(A, f"{filler}, the probe cost $1.2 million, {filler}")}
    (row,) = audit_citations(f"The probe cost $1.2 million [{A}].", long).verdicts
    assert len(row.passage) <= 400
    assert "the probe cost $1.2 million" in row.passage


def test_in_json_each_string_is_read_alone():
    answer = {"cost": f'It said "so": the Falcon probe cost $1.2 million [{A}].', "list": [1, f"Built in Lyon [{B}]"]}
    numbered = number_citations_in_json(json.dumps(answer), SOURCES)
    rows = audit_numbered(numbered, SOURCES).verdicts
    assert [(numbered.text[row.start : row.end], row.sentence) for row in rows] == [
        ("[1]", 'It said "so": the Falcon probe cost $1.2 million [1].'),
        ("[2]", "Built in Lyon [2]"),
    ]


def test_a_sentence_that_lost_its_only_citation_is_told():
    text = (
        f"Costs rose everywhere [{UNKNOWN}]. The probe cost $1.2 million [{UNKNOWN}][{A}]. [{UNKNOWN}]\n\nAll is well."
    )
    result = audit_citations(text, SOURCES)
    assert [(row.sentence, row.invented) for row in result.uncited if row.invented] == [
        ("Costs rose everywhere.", True)
    ]
    assert (result.invented, result.counts["unknown"]) == (3, 1)


@pytest.mark.parametrize(
    ("sentence", "source", "support"),
    [
        ("The Falcon probe was built in Lyon.", B, "supported"),
        ("The Falcon probe cost $1.2 million.", A, "supported"),
        ("Penguins hunt squid in the southern ocean.", None, None),
    ],
)
def test_an_uncited_claim_is_held_against_all_that_was_retrieved(sentence, source, support):
    (row,) = audit_citations(f"Revenue rose 12 percent in 2021 [{A}]. {sentence}", SOURCES).uncited
    assert (row.sentence, row.source_id, row.support) == (sentence, source, support)


@pytest.mark.parametrize(
    "text",
    [
        "# The cost of the Falcon probe",
        "| Falcon probe | cost | year |",
        "What did it cost in total?",
        "```\nthe probe cost\n```",
        "Here are the costs:",
    ],
)
def test_what_makes_no_claim_needs_no_source(text):
    assert audit_citations(text, SOURCES).uncited == ()


PROSE = st.lists(
    st.text(alphabet="abc XYZ.,\n-é漢'\"!*_#|(`1[]", max_size=12)
    | st.sampled_from([f"[{A}]", f"[{B}]", f"[{UNKNOWN}]", f"[{A}, {B}]", f"([{A}])", "The probe cost $1.2 million. "]),
    max_size=12,
).map("".join)


@given(PROSE)
def test_offsets_always_index_the_mark_and_every_citation_has_a_place(text):
    numbered = number_citations(text, SOURCES)
    result = audit_numbered(numbered, SOURCES)
    for row in result.verdicts:
        assert numbered.text[row.start : row.end] == f"[{numbered.numbers[row.id]}]"
        assert row.sentence in numbered.text
    assert {row.id for row in result.verdicts} == set(numbered.numbers)
    assert all(numbered.text[row.start : row.end] == row.sentence for row in result.uncited)


@given(st.dictionaries(st.text(max_size=5), PROSE | st.lists(PROSE, max_size=3), max_size=4), st.integers(0, 2))
def test_so_they_do_in_json(value, indent):
    numbered = number_citations_in_json(json.dumps(value, indent=indent), SOURCES)
    assert set(json.loads(numbered.text)) == set(value)
    result = audit_numbered(numbered, SOURCES)
    for row in result.verdicts:
        assert numbered.text[row.start : row.end] == f"[{numbered.numbers[row.id]}]"
    assert {row.id for row in result.verdicts} == set(numbered.numbers)
