"""Reference answers: exact, by value, or normalised; right for any of them, and never by accident."""

import pytest

from fusion_tool.evals.graders.reference import match_reference
from fusion_tool.evals.tasks import Task

CODE = "Complete the assertion.\n[PYTHON]\ndef f(x):\n    return x\nassert f(1) == ??\n[/PYTHON]"


def match(answer, *references, question="How many?"):
    return match_reference(Task(id="t", question=question, reference=references), answer)


@pytest.mark.parametrize(
    ("answer", "reference", "how"),
    [
        ("It adds up.\n\nAnswer: 18", "18", "exact"),
        ('{"reasoning": "x", "answer": "18"}', "18", "exact"),
        ("Answer: $18.00", "# 18", "numeric"),
        ("Answer: 1,875", "#### 1875", "numeric"),
        ("The answer is \\boxed{\\frac{1}{2}}.", "0.5", "numeric"),
        ("Answer: $2 per hour", "2", "normalised"),
        ("Answer: \u2212221 metres downhill", "-221", "normalised"),
        ("Answer: **THE  BLUE whale.**", "the blue whale", "normalised"),
        ("Answer: \u201cBlue whale\u201d", "blue whale", "normalised"),
    ],
)
def test_a_right_answer_however_it_is_written(answer, reference, how):
    found = match(answer, reference)
    assert found.right
    assert found.how in (how, "numeric" if how == "normalised" else how)


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("Answer: 19", "18"),
        ("Answer: 18 or 19", "18"),
        ("Answer: 6*sqrt(2)", "6"),
        ("Answer: -4, 1", "-4"),
        ("Answer: 18%", "18"),
        ("Answer: not the blue whale", "the blue whale"),
        ("Answer: 1zm", "1zd"),
        ("I could not find it.", "18"),
        ("", "18"),
    ],
)
def test_a_wrong_answer(answer, reference):
    found = match(answer, reference)
    assert not found.right
    assert found.how is None


@pytest.mark.parametrize(
    ("answer", "right"),
    [("'1Oe'", True), ("1Oe", True), ("'1oe'", False), ("' 1Oe'", False), ("'1Oe '", False)],
)
def test_in_code_case_and_blanks_count_and_quotes_do_not(answer, right):
    assert match(f"[ANSWER]{answer}[/ANSWER]", "'1Oe'", question=CODE).right is right


def test_any_reference_suffices():
    assert match("Answer: Holland", "the Netherlands", "Holland", question="Which country?").right


def test_an_answer_without_an_end_is_told_apart():
    assert match("", "18").final is None
    assert match("Answer: 19", "18").final == "19"
