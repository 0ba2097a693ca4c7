import pytest

from fusion_tool.grounding.audit import audit_citations
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
