"""The words around a claim: what they must not change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fusion_tool.grounding.framing import is_pointer, is_title, strip_lead_in
from fusion_tool.grounding.support import judge_support

SOURCE = "The Halden Bridge opened on 4 June 1998. It was designed by Ingrid Solheim and cost 2.4 billion kroner."
CLAIM = "The Halden Bridge was designed by Ingrid Solheim."
LEAD_INS = [
    "According to the information provided in the sources, ",
    "According to the sources, ",
    "Based on the documents provided, ",
    "As stated in the article, ",
    "The sources say that ",
    "The retrieved page states that ",
    "According to the information provided in the sources, the sources say that ",
]


@pytest.mark.parametrize("lead_in", LEAD_INS)
@pytest.mark.parametrize(
    ("claim", "support"),
    [
        (CLAIM, "supported"),
        ("The Halden Bridge opened in 1999.", "mismatch"),
        ("The Halden Bridge won a prize.", "weak"),
    ],
)
def test_a_lead_in_changes_no_verdict(lead_in: str, claim: str, support: str) -> None:
    assert judge_support(lead_in + claim[0].lower() + claim[1:], SOURCE) == support


def test_an_afterthought_changes_none() -> None:
    assert strip_lead_in(f"{CLAIM[:-1]}, according to the sources.") == CLAIM


@pytest.mark.parametrize(
    "sentence",
    [
        "According to the Energy Agency, output fell.",
        "In the 2021 census, 5,000 people spoke it.",
        "Based on its mass, the star is a giant.",
        "According to the operator, the line will close.",
    ],
)
def test_what_says_more_than_that_it_is_written_stays(sentence: str) -> None:
    assert strip_lead_in(sentence) == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "See the documentation on bridges.",
        "In the benchmark notes for Kestrel.",
        "The table lists the possible values.",
        "The article describes how the bridge was built.",
        "The opening of the bridge is covered in the article.",
        "The page on bridges gives more details.",
    ],
)
def test_a_sentence_that_only_points_is_no_claim(sentence: str) -> None:
    assert is_pointer(sentence)
    assert judge_support(sentence, f"{sentence} {SOURCE}") == "weak"


@pytest.mark.parametrize(
    "sentence",
    [
        "In the benchmark notes the throughput doubled.",
        "The table lists 5 values.",
        "The report shows that output fell.",
        "The study found no effect.",
        "The document was signed in 1998.",
    ],
)
def test_a_sentence_that_says_something_is_one(sentence: str) -> None:
    assert not is_pointer(sentence)


@pytest.mark.parametrize(
    ("quote", "before", "title"),
    [
        ("release notes.md", "In the file ", True),
        ("release-notes.md", "As ", True),
        ("the long way round", "The article ", True),
        ("A History of the Bridge", "It is told in ", True),
        ("a line drawn with a ruler", "Solheim called it ", False),
        ("we open in June", "He said ", False),
    ],
)
def test_the_name_of_a_text_is_no_quotation(quote: str, before: str, title: bool) -> None:
    assert is_title(quote, before) is title


def test_a_quoted_page_title_accuses_nobody() -> None:
    assert (
        judge_support(f'The page "Bridges of the North" says that {CLAIM[0].lower()}{CLAIM[1:]}', SOURCE) == "supported"
    )
    assert judge_support('The handbook "Bridges of the North" recommends granite.', SOURCE) == "weak"


@given(
    st.text(max_size=300)
    | st.lists(st.sampled_from(["according", "to", "the", "sources", "of", ",", "that", '"', "is"])).map(" ".join)
)
def test_any_text_is_read(text: str) -> None:
    assert len(strip_lead_in(text)) <= len(text) + 2
    assert is_pointer(text) in {True, False}
