"""Which answers are the same answer, and which only look like it."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fusion_tool.grounding.closed_answers.compare import compare_closed

ASKED = "What is it?"
CODE = "What does `f(3)` return?"
CHOICE = "Which is it?\n(A) twelve metres\n(B) 14 m\n(C) neither\n(D) 15"


def agree(first: str, second: str, question: str = ASKED) -> bool:
    verdict = compare_closed(question, [first, second])
    return verdict.closed and len(verdict.groups) == 1


def differ(first: str, second: str, question: str = ASKED) -> bool:
    """Both can be read, and they are not the same."""
    verdict = compare_closed(question, [first, second])
    return verdict.closed and len(verdict.groups) == 2


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("6 * 7 = 42, so\n#### 42", "42"),
        (r"We add up and get $\boxed{42}$.", "42"),
        (r"Thus \boxed{\frac{1}{2}} follows.", r"\frac{1}{2}"),
        ("Six times seven.\n\nAnswer: 42\n\nTell me if you need more.", "42"),
        ("**Answer:** 42", "42"),
        ("## Final answer\n\nIt was hard.\n\n**Final Answer**: $42$", "42"),
        ("Working...\n\n### Answer:\n42", "42"),
        ("Six sevens. Therefore, the answer is 42.", "42"),
        ("The correct answer is **42**. Six sevens are that many.", "42"),
        ('{"reasoning": "6 * 7", "answer": "42"}', "42"),
        ('```json\n{"reasoning": "6 * 7", "answer": 42}\n```', "42"),
        ('{"reasoning": "a "quoted" word, 6 \\cdot 7", "answer": "42"}', "42"),
        ("[ANSWER]42[/ANSWER]", "42"),
        ("So much for that.\n<answer>42</answer>", "42"),
        ("It takes some counting.\n\n**42**", "42"),
        ("It takes some counting.\n\n42.", "42."),
        ("We count twice. In total there are **42**.", "42"),
        ("Twice the count, so the total is 42.", "42"),
        ("42 [1a2b3c4d]", "42"),
        ("The answer is 42 [1a2b3c4d][5e6f7a8b].", "42"),
        ("<think>The answer is 41.</think>The answer is 42.", "42"),
        ("Sechs mal sieben.\nAntwort: 42", "42"),
        ("六乘七。\n答案\uff1a42", "42"),
    ],
)
def test_the_final_answer_is_found(text: str, answer: str) -> None:
    verdict = compare_closed(ASKED, [text])
    assert (verdict.closed, verdict.answers) == (True, (answer,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   \n",
        "Panels lose heat at night, and that is why they are tilted.\n\nLet me know if you need anything else!",
        "There are several views on it.\n\n**Good luck!**",
        "I don't know",
        "Answer: unknown",
        "Answer: it depends on the day",
        '{"reasoning": "too long to finish", "answer": ""}',
        "Answer: a long tale of how the river came to be where it is, told by all who live along its banks today",
        "<think>The answer is 42",
        "x" * 50_000,
    ],
)
def test_what_is_no_closed_answer_is_left_to_a_judge(text: str) -> None:
    verdict = compare_closed(ASKED, [text, text])
    assert (verdict.closed, verdict.groups, verdict.answers) == (False, (), (None, None))


SAME = [
    ("42", "42.0"),
    ("1,234.50", "$1234.5"),
    ("$18", "18 dollars"),
    ("50 cents", "$0.50"),
    ("12", "12 apples"),
    ("1 apple", "1 Apple"),
    ("5 km", "5000 m"),
    ("5 km", "5"),
    ("90 km/h", "90 kilometers per hour"),
    ("1 000 000", "1 million"),
    (r"10{,}000", "10000"),
    ("1'000", "1000"),
    ("twelve", "12"),
    ("50%", "1/2"),
    ("0.125", "1/8"),
    ("1.5e3", r"1.5 \times 10^{3}"),
    ("\u22125", "-5"),
    ("about 5", "5"),
    ("12,50 €", "12.50 €"),
    ("2 1/2", "5/2"),
    (r"2\frac{1}{2}", "2.5"),
    (r"\dfrac{\sqrt{3}}{2}", "√3/2"),
    (r"\frac{1}{\sqrt2}", r"$\frac{\sqrt{2}}{2}$"),
    (r"\sqrt{8}", r"2\sqrt{2}"),
    ("1/(1+√2)", "√2 - 1"),
    (r"\frac{2\pi}{3}", "2π/3"),
    ("2x + 1", "1 + 2*x"),
    ("(x+1)^2", "x^2 + 2x + 1"),
    ("5!", "120"),
    ("x = 5", "5"),
    ("v = 5 m/s", "5 m/s"),
    (r"6\sqrt{3} \text{ cm}", "6√3 cm"),
    (r"45^\circ", "45 degrees"),
    (r"(-\infty, 3) \cup [5, \infty)", r"\left(-\infty,3\right)\cup\left[5,\infty\right)"),
    (r"\left( 3, \frac{\pi}{2} \right)", "(3, π/2)"),
    ("2 and -3", "-3 and 2"),
    ("x = 2 or x = -3", "x = -3 or x = 2"),
    (r"\{1, 2\}", "{2, 1}"),
    ("March 9, 2024", "2024-03-09"),
    ("9 March 2024", "on March 9th, 2024"),
    ("3 pm", "3:00 p.m."),
    ("15:30", "3:30 pm"),
    ("Paris", "paris"),
    ("The Ambassadors", '"The ambassadors"'),
    ("PARIS", "Paris."),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_the_same_answer_in_another_form_agrees(first: str, second: str) -> None:
    assert agree(f"Answer: {first}", f"So \\boxed{{{second}}}")


DIFFERENT = [
    ("42", "43"),
    ("42", "-42"),
    ("0.33", "1/3"),
    ("3.14", "π"),
    ("5 km", "5 m"),
    ("5 mW", "5 MW"),
    ("5 mW", "5 megawatts"),
    ("$5", "5 €"),
    ("50 basis points", "50 percentage points"),
    ("0.5", "0.5%"),
    ("50%", "50"),
    ("5", "5 thousand"),
    ("12", "12 dozen"),
    ("2", "2 thirds"),
    ("6", "6 squared"),
    ("5", "5 or 6"),
    ("5", "5 more than before"),
    ("3", r"3\tan x"),
    ("12 apples", "12 oranges"),
    ("2", "2, 3"),
    ("(1, 2)", "(2, 1)"),
    ("(1, 2)", "[1, 2]"),
    ("x = 2, y = 3", "y = 2, x = 3"),
    ("2√3", "3√2"),
    ("2^10", "10^2"),
    ("a - b", "b - a"),
    ("ab", "ba"),
    ("H2O", "HO2"),
    ("CO", "Co"),
    ("NaCl", "NaCL"),
    ("北京", "京北"),
    ("x^2", "2x"),
    ("-2^2", "(-2)^2"),
    ("March 9, 2024", "March 9, 2023"),
    ("March 9", "March 9, 2024"),
    ("03/04/2024", "April 3, 2024"),
    ("3 am", "3 pm"),
    ("3:1", "3:2"),
    ("Polish", "polished"),
    ("1011_2", "1011"),
    ("5 (mod 7)", "5 (mod 11)"),
    ("1,5", "1.5"),
    ("1.234", "1,234"),
    ("yes", "no"),
    ("x < 3", "x > 3"),
    ("x < 3", "x ≤ 3"),
]


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_different_answers_never_agree(first: str, second: str) -> None:
    assert differ(f"Answer: {first}", f"Answer: {second}")


def test_an_expression_that_reads_in_two_ways_is_compared_as_it_is_written() -> None:
    assert differ("Answer: 1/2x", "Answer: x/2")
    assert agree("Answer: 1/2x", "Answer: 1/2x")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("[1, 2]", "[1,2]", True),
        ("['a', 'b']", '["a", "b"]', True),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", True),
        ("'abc'", "abc", True),
        ("None", "None", True),
        ("1.0", "1", True),
        ("[1, 2]", "(1, 2)", False),
        ("'LL'", "'ll'", False),
        ("'a b'", "'a  b'", False),
        ("'5'", "5", False),
        ("True", "1", False),
        ("True", "'True'", False),
        ("[12345678]", "[87654321]", False),
    ],
)
def test_output_of_code_counts_to_the_letter(first: str, second: str, same: bool) -> None:
    told = [f'{{"answer": {quoted}}}' for quoted in map(_quoted, (first, second))]
    assert agree(*told, CODE) is same
    assert differ(*told, CODE) is not same
    assert agree(f"It runs.\n\nOutput: `{first}`", f"Answer:\n```python\n{second}\n```", CODE) is same


def _quoted(text: str) -> str:
    return '"' + text.replace('"', r"\"") + '"'


def test_blanks_around_a_printed_text_are_part_of_it() -> None:
    assert differ('{"answer": " a"}', '{"answer": "a"}', CODE)
    assert agree('{"answer": " 7 "}', """{"answer": "' 7 '"}""", CODE)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Answer: B", "The answer is (b).", True),
        ("Answer: **B) 14 m**", "It is clear.\n\n14 m", True),
        ("Option A", "(A) twelve metres", True),
        ("Answer: A and C", "Answer: (C), (A)", True),
        ("Answer: A", "Answer: B", False),
        ("Answer: D", "15", True),
    ],
)
def test_choices(first: str, second: str, same: bool) -> None:
    assert agree(first, second, CHOICE) is same
    assert differ(first, second, CHOICE) is not same


@pytest.mark.parametrize("text", ["Answer: E", "Answer: A) 14 m", "Answer: 16"])
def test_a_choice_that_was_not_offered_is_none(text: str) -> None:
    assert not compare_closed(CHOICE, [text]).closed


def test_yes_with_a_reason_is_yes() -> None:
    question = "Is a tomato a berry, yes or no?"
    assert agree("Answer: Yes, because it grows from one ovary.", "Yes.", question)
    assert differ("Answer: No, it is not.", "Answer: yes", question)


@pytest.mark.parametrize(
    ("question", "same"),
    [("What percent of them are green?", True), ("What is the chance, given a rate of 5%?", False)],
)
def test_a_bare_number_is_a_percentage_only_where_one_is_asked_for(question: str, same: bool) -> None:
    assert agree("Answer: 25", "Answer: 25%", question) is same


def test_a_number_without_a_unit_does_not_stand_for_one_that_was_not_asked_for() -> None:
    assert agree("Answer: 50", "Answer: 50 cents", "How much is it?")
    assert differ("Answer: 50", "Answer: 50 cents", "How many dollars is it?")


def test_a_number_without_a_unit_joins_nobody_where_units_differ() -> None:
    verdict = compare_closed(ASKED, ["Answer: 5", "Answer: 5 km", "Answer: 5 m"])
    assert verdict.groups == ((0,), (1,), (2,))


def test_lines_are_told_apart_by_their_variable() -> None:
    assert differ("Answer: x = 2", "Answer: y = 2", "What is the equation of the asymptote?")


@pytest.mark.parametrize(
    "question",
    ["Why did the wall fall?", "Who painted it and when was it painted?", "Write a story about 1989."],
)
def test_prose_agrees_only_where_its_end_is_marked_as_the_answer(question: str) -> None:
    told = "Much had happened. The year was 1989."
    assert not compare_closed(question, [told, told]).closed
    assert compare_closed(question, [f"{told}\n\nAnswer: 1989"]).closed


def test_several_marked_answers_are_one_answer_in_their_order() -> None:
    both = r"First \boxed{3}, then \boxed{5}."
    assert differ(both, r"\boxed{5}")
    assert agree(both, "Answer: 3, 5")


def test_groups_are_indices_the_largest_first() -> None:
    verdict = compare_closed(ASKED, ["Answer: 7", "#### 8", "Answer: 8.0", "Answer: 7.00", r"\boxed{8}"])
    assert verdict.groups == ((1, 2, 4), (0, 3))


def test_what_can_be_read_is_grouped_beside_what_cannot() -> None:
    verdict = compare_closed(ASKED, ["Answer: 7", "I don't know", "7"])
    assert (verdict.closed, verdict.groups) == (False, ((0, 2),))


def test_no_answers() -> None:
    verdict = compare_closed(ASKED, [])
    assert (verdict.closed, verdict.groups, verdict.answers) == (False, (), ())


NUMBERS = st.fractions(max_denominator=1000).map(lambda number: Fraction(number.numerator % 10**9, number.denominator))
WRITTEN = st.sampled_from(
    ["Answer: {}", "#### {}", r"\boxed{{{}}}", '{{"answer": "{}"}}', "So the answer is {}.", "Done.\n\n**{}**"]
)


@given(NUMBERS, NUMBERS, WRITTEN, WRITTEN)
def test_law_numbers_agree_exactly_where_they_are_equal(one: Fraction, other: Fraction, mark: str, sign: str) -> None:
    assert agree(mark.format(one), sign.format(other)) is (one == other)


@given(st.integers(-(10**12), 10**12), st.integers(0, 99), WRITTEN)
def test_law_formatting_changes_nothing(whole: int, cents: int, mark: str) -> None:
    forms = [
        f"{whole}.{cents:02}",
        f"{whole:,}.{cents:02}",
        f"${whole}.{cents:02}",
        f"{whole}.{cents:02} dollars",
        f"**{whole}.{cents:02}**",
        rf"\({whole}.{cents:02}\)",
    ]
    assert all(agree(mark.format(one), mark.format(other)) for one, other in pairwise(forms))


TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text(
    "0123456789+-*/^()[]{}.,$%\\xy =\n\"'", max_size=60
)


@given(TEXTS, st.sampled_from([ASKED, CODE, CHOICE]))
def test_law_a_readable_answer_agrees_with_itself(text: str, question: str) -> None:
    verdict = compare_closed(question, [text, text])
    assert len(verdict.groups) == int(verdict.closed)


@given(TEXTS, TEXTS, st.sampled_from([ASKED, CODE, CHOICE]))
def test_law_order_does_not_matter(first: str, second: str, question: str) -> None:
    assert agree(first, second, question) is agree(second, first, question)


@given(st.text(max_size=30), st.text(max_size=30))
def test_law_printed_texts_agree_exactly_where_they_are_equal(first: str, second: str) -> None:
    assert agree(f"[ANSWER]{first!r}[/ANSWER]", f"[ANSWER]{second!r}[/ANSWER]", CODE) is (first == second)


COEFFICIENTS = st.tuples(*[st.integers(-9, 9)] * 3)


@given(COEFFICIENTS, COEFFICIENTS)
def test_law_terms_that_agree_are_equal_everywhere(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    shown = "Answer: {}*x^2 + {}*x + {} + y".format(*first)
    turned = "Answer: y + {2} + x*{1} + {0}x*x".format(*second)
    assert agree(shown, turned) is (first == second)


@given(st.lists(st.integers(0, 99), min_size=2, max_size=5), st.randoms())
def test_law_only_sets_have_no_order(values: list[int], random) -> None:
    shuffled = random.sample(values, len(values))
    assume(shuffled != values)
    as_text = [", ".join(map(str, order)) for order in (values, shuffled)]
    assert agree(*(f"Answer: {{{text}}}" for text in as_text))
    assert differ(*(f"Answer: ({text})" for text in as_text))


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000,
        "9^" * 500 + "9",
        "9^9^9^9",
        r"\frac{" * 500,
        "1," * 1000,
        "((((1,2),3),4),5)" * 20,
        r"\sqrt{" + "9" * 190 + "}",
        "x+" * 90 + "(x+y+z)^9*(a+b+c)^9",
        "-" * 1900,
        "[" * 500 + "]" * 500,
        "{" * 900,
        "$" * 1999,
        "a and " * 300,
        "1 " * 900,
    ],
)
@pytest.mark.parametrize("question", [ASKED, CODE, CHOICE])
@pytest.mark.timeout(5)
def test_hostile_answers_are_read_quickly_or_not_at_all(text: str, question: str) -> None:
    told = [f"Answer: {text}", rf"\boxed{{{text}}}", f'"answer": "{text}"', text]
    verdict = compare_closed(question, told)
    assert sum(map(len, verdict.groups)) <= 4
