"""What is wrong with an answer's form, and what only looks like it."""

import pytest

from fusion_tool.evals.answer_checks import check_answer, check_result
from tests.unit.results import result

LONG = "The mill was built in 1861 by the owner. " * 30


def faults(answer, **options):
    found = check_answer(answer, **options)
    names = ("empty", "truncated", "reasoning_leaked", "meta_text", "refused")
    return {name for name in names if getattr(found, name)}


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        (LONG + "It then", "truncated"),
        ("```python\nprint(1)\n", "truncated"),
        ("<think>The user wants a year.</think>1861.", "reasoning_leaked"),
        ("1861.\n</think>", "reasoning_leaked"),
        ("Okay, the user asks when the mill was built.", "reasoning_leaked"),
        ("**Alright, let me** see. It was 1861.", "reasoning_leaked"),
        ("We need to answer the question. It was 1861.", "reasoning_leaked"),
        ("As an AI language model, I think 1861.", "meta_text"),
        ("The panel's answers agree on 1861.", "meta_text"),
        ("Answer A says 1861, Answer B says 1871.", "meta_text"),
        ("Answers A and B agree on 1861.", "meta_text"),
        ("I'm sorry, but I can't help with that.", "refused"),
        ("I cannot provide this information.", "refused"),
        ("I must decline.", "refused"),
    ],
)
def test_a_fault_is_seen_and_no_other(answer, fault):
    assert faults(answer) == {fault}


@pytest.mark.parametrize(
    "answer",
    [
        "1861.",
        "1861",
        LONG,
        LONG + "\n\n| year | owner |\n| 1861 | Alder",
        LONG + "\n\n- the owner\n- the river",
        LONG + "See https://mills.example/alder",
        LONG + "\n\nSources\n[1] Mills of the north",
        "The panel recommends a dose of 5 mg; the judge said that the law was clear.",
        "The user interface asks for a year.",
        "I cannot stress enough that 1861 is only the year on the lintel.",
        "Sorry to say, the mill burned down in 1904.",
        "Use `</think>` to end the block:\n```\n<think>\n```",
        "Option A is cheaper. Answer: A.",
        "An AI model, as a language model trained on text, predicts words.",
    ],
)
def test_what_only_looks_like_a_fault_is_none(answer):
    assert faults(answer) == set()


def test_a_provider_that_cut_the_answer_is_believed():
    assert faults("1861.", is_cut_off=True) == {"truncated"}


def test_citations_are_counted_in_prose_alone():
    found = check_answer(
        "Built in 1861 [1][2]. Owned by [Ada](https://a.example) [3, 4]. `x[1]` [5](#note)\n\nSources\n[1] A"
    )
    assert found.citations == 4
    assert found.support is None


def test_a_runs_answer_brings_its_audit():
    found = check_result(result())
    assert found.support == tuple(citation.support for citation in result().citations)
