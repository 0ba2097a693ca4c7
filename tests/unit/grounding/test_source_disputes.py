"""Sources that differ are told apart from sources that speak of different things."""

import pytest

from fusion_tool.grounding.audit import audit_citations
from fusion_tool.grounding.source_disputes import SourcedClaim, find_disputes, sentences_about, sourced_claims
from fusion_tool.grounding.sources import RetrievedSource

DISPUTED = [
    ("The transfer of the archive took 14 hours.", "The archive's transfer took 11 hours 20 minutes."),
    ("The transfer took 14 hours.", "The transfer took 11 hours 20 minutes."),
    ("The bridge cost 497 million euros.", "According to the memo, the bridge cost 512 million euros."),
    ("The Alder mill was built in 1861.", "The Alder mill was built in 1871."),
    ("The Alder mill has 12 windows.", "The Alder mill has 14 windows."),
    ("The share of wind power was 12 %.", "The share of wind power was 15 %."),
]
AT_PEACE = [
    ("The bridge cost 497 million euros.", "The bridge cost 0.497 billion euros."),
    ("The bridge cost 497 million euros.", "The bridge is 1,200 m long."),
    ("The Halden bridge cost 497 million.", "The Skien bridge cost 512 million."),
    ("The bridge cost about 500 million euros.", "The bridge cost 497 million euros."),
    ("The bridge cost more than 400 million euros.", "The bridge cost 497 million euros."),
    ("In 1990 the town had 500 people.", "In 2000 the town had 700 people."),
    ("The planned cost of the bridge was 400 million.", "The final price for the tunnel was 500 million."),
    ("The mill was built in 1861.", "The mill burned down in 1904."),
    ("The mill has 12 windows.", "The mill has 3 doors."),
    ("The mill is 5 m high.", "The mill's wheel is 3 m high."),
    ("The mill is 5 m.", "The mill's wheel is 3 m."),
    ("The mill is old.", "The mill is new."),
]


def disputes(first: str, second: str, ids: tuple[str, str] = ("1a2b3c4d", "5e6f7a8b")):
    return find_disputes([SourcedClaim(first, ids[0]), SourcedClaim(second, ids[1])])


@pytest.mark.parametrize(("first", "second"), DISPUTED)
def test_different_figures_for_the_same_thing_are_a_dispute(first, second):
    ((one, other),) = disputes(first, second)
    assert (one, other) == (SourcedClaim(first, "1a2b3c4d"), SourcedClaim(second, "5e6f7a8b"))


@pytest.mark.parametrize(("first", "second"), DISPUTED)
def test_one_source_does_not_dispute_itself(first, second):
    assert disputes(first, second, ids=("1a2b3c4d", "1a2b3c4d")) == []


@pytest.mark.parametrize(("first", "second"), AT_PEACE)
def test_figures_of_different_things_are_none(first, second):
    assert disputes(first, second) == disputes(second, first) == []


def test_sources_that_differ_about_what_is_asked_are_found_whatever_was_said():
    texts = {
        "1a2b3c4d": "Lab log. The transfer of the Halden archive took 14 hours. It was done in March.",
        "5e6f7a8b": "Closing memo. The transfer of the Halden archive took 11 hours 20 minutes.",
        "9a9a9a9a": "The Alder mill has 12 windows.",
    }
    told = sentences_about("How long did the transfer of the Halden archive take?", texts)
    assert {sentence.id for sentence in told} == {"1a2b3c4d", "5e6f7a8b"}
    assert len(find_disputes(told)) == 1
    assert sentences_about("Who owned the mill's wheel in 1861?", {"1a2b3c4d": texts["1a2b3c4d"]}) == []


def test_only_what_a_source_carries_is_set_against_another():
    texts = {"1a2b3c4d": "The archive's transfer took 14 hours.", "5e6f7a8b": "The archive's transfer took 11 hours."}
    sources = {
        key: RetrievedSource(id=key, url=f"https://{key}.example", title="", kind="page", text=text)
        for key, text in texts.items()
    }
    said = "The transfer took 14 hours [1a2b3c4d]. The transfer took 11 hours [5e6f7a8b]."
    assert len(find_disputes(sourced_claims(audit_citations(said, sources)))) == 1
    wrong = said.replace("11 hours", "12 hours")
    assert find_disputes(sourced_claims(audit_citations(wrong, sources))) == []
