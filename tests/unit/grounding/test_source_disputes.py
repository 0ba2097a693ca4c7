"""Sources that differ are told apart from sources that speak of different things."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    ("The transfer took 14 hours.", "The transfer took 680 minutes."),
    ("The transfer took 14 h.", "The transfer took 11 h 20."),
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
    ("The transfer took 11 hours 20 minutes.", "The transfer took 680 minutes."),
    ("The transfer took 11 h 20.", "The transfer took 11:20 h."),
    ("The transfer took 9 hours.", "The transfer took nine hours and ten minutes."),
]
LASTS = "How many hours of mixed use does the battery of the Kestrel last?"
MAKER = "The battery lasts 14 hours of mixed use, according to the company's own tests."
ANSWERED_DIFFERENTLY = [
    (MAKER, "In our mixed-use battery script the median was 11 h 20; the shortest run was 10 hours 45 minutes."),
    (MAKER, "The battery, however, lasted nine hours and ten minutes on average in my use, with the radio on."),
    (MAKER, "In our mixed use the Kestrel's battery gave up after 680 minutes."),
]
ANSWERED_ALIKE = [
    (MAKER, "In our mixed-use script the median of the battery was 840 minutes."),
    (MAKER, "In mixed use with the radio off our battery lasted 16 hours, ten more than the rest."),
    (MAKER, "In mixed use the battery lasts up to 20 hours."),
    (MAKER, "In mixed use the battery lasts 13 to 14 hours."),
    (MAKER, "The screen lasts 20,000 hours of mixed use."),
    (MAKER, "The battery is delivered within 48 hours."),
    (MAKER, "The battery lasts 300 charges in mixed use."),
    (MAKER, "The Wren's battery lasted 9 hours of mixed use on a cold day."),
    ("In 2031 the battery lasted 14 hours of mixed use.", "In 2033, of mixed use, the same battery lasted 9 hours."),
]
NO_FIGURE = ["Is the battery of the Kestrel good in mixed use?", "How many?", "How many hours?", "Why is it so?", ""]


def disputes(first: str, second: str, ids: tuple[str, str] = ("1a2b3c4d", "5e6f7a8b"), question: str = ""):
    return find_disputes([SourcedClaim(first, ids[0]), SourcedClaim(second, ids[1])], question)


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


@pytest.mark.parametrize(("first", "second"), ANSWERED_DIFFERENTLY)
@pytest.mark.parametrize("question", [LASTS, "How long does the Kestrel's battery last in mixed use?"])
def test_different_answers_to_a_question_for_a_figure_are_a_dispute_however_they_are_worded(question, first, second):
    assert len(disputes(first, second, question=question)) == 1
    assert len(disputes(second, first, question=question)) == 1


@pytest.mark.parametrize(("first", "second"), [*ANSWERED_ALIKE, *AT_PEACE])
def test_what_does_not_answer_it_under_the_same_conditions_is_none(first, second):
    assert disputes(first, second, question=LASTS) == disputes(second, first, question=LASTS) == []


@pytest.mark.parametrize(("first", "second"), ANSWERED_DIFFERENTLY)
@pytest.mark.parametrize("question", NO_FIGURE)
def test_a_question_for_no_figure_makes_none(question, first, second):
    assert disputes(first, second, question=question) == []


@given(st.integers(1, 99), st.integers(0, 59))
def test_one_duration_in_two_writings_is_no_dispute(hours, minutes):
    first = f"The battery lasts {hours} hours {minutes} minutes of mixed use."
    second = "In mixed use we saw {:,} minutes out of the battery."
    assert disputes(first, second.format(60 * hours + minutes), question=LASTS) == []
    assert len(disputes(first, second.format(2 * (60 * hours + minutes)), question=LASTS)) == 1


def test_the_demo_disputes_its_battery():
    corpus = Path(__file__).parents[3] / "examples" / "corpus"
    texts = {path.name: path.read_text("utf-8") for path in corpus.iterdir()}
    pairs = find_disputes(sentences_about(LASTS, texts), LASTS)
    assert {key.rpartition("kestrel-")[2] for pair in pairs for key in (pair.first.id, pair.second.id)} == {
        "launch-press-release.md",
        "benchmarks-lab-notes.txt",
        "daily-courier-review.md",
    }


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
