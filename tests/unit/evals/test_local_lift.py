"""The grades of `benchmarks/local_lift.py`, and the gold answers it compares with."""

from pathlib import Path

import pytest
from benchmarks.local_lift_grades import HALVES, KINDS, Fact, Passage, Question, grade, normalise, read_questions

ROOT = Path(__file__).parents[3]
SOURCES = {path.name: path for folder in ("examples/corpus", "docs") for path in (ROOT / folder).iterdir()}
COST = Fact(("497 million",), ("inquiry.txt",))
SPEECH = Fact(("418 million",), ("gazette.md",))


def question(*facts: Fact, needs: int | None = None, wrong: tuple[str, ...] = ()) -> Question:
    return Question("q", "closed", "reported", "?", facts, len(facts) if needs is None else needs, wrong)


CLOSED = question(COST, wrong=("418 million",))
DISPUTED = question(SPEECH, COST)
ABSENT = question(wrong=("78.4",))


@pytest.mark.parametrize(
    ("asked", "answer", "correct"),
    [
        (CLOSED, "It cost 497 million crowns [1].", True),
        (CLOSED, "It cost 418 million crowns.", False),
        (CLOSED, "It cost 418 million or 497 million crowns.", False),
        (CLOSED, "It cost 1,497 million crowns.", False),
        (CLOSED, "It cost 497.5 million crowns.", False),
        (CLOSED, "In 497. Million.", False),
        (CLOSED, "I do not know.", False),
        (DISPUTED, "418 million at the opening, in the end 497 million.", True),
        (DISPUTED, "497 million.", False),
        (question(COST, SPEECH, needs=1), "497 million.", True),
        (question(Fact(("three",), ())), "After 3 failures in a row.", True),
        (question(Fact(("three",), ())), "After 30 failures in a row.", False),
        (question(Fact(("three",), ())), "It fails [3].", False),
        (question(Fact(("8.4 percent",), ())), "A rate of 8.4%.", True),
        (question(Fact(("4,900",), ())), "4900 of them, 4,900.", True),
        (question(Fact(("sensor*",), ())), "Two sensors disagreed.", True),
        (question(Fact(("no",), ()), wrong=("yes",)), "No.", True),
        (question(Fact(("no",), ()), wrong=("yes",)), "Nobody knows; a note says yes.", False),
        (question(Fact(("14 hours",), ())), "A 14-hour battery.", False),
        (question(Fact(("10.5 hours",), ())), "It lasts 10.5 hours.", True),
        (ABSENT, "The sources do not say what it scores.", True),
        (ABSENT, "No score is given; she did not give it.", True),
        (ABSENT, "I couldn't find any information on that.", True),
        (ABSENT, "That is not known [2].", True),
        (ABSENT, "I'm unable to provide an answer to that.", True),
        (ABSENT, "Its score is unknown, perhaps 78.4.", False),
        (ABSENT, "It scores 81.2.", False),
        (ABSENT, "She gave a talk without notes.", False),
        (ABSENT, "", False),
    ],
)
def test_correct(asked: Question, answer: str, correct: bool) -> None:
    assert grade(asked, answer).correct is correct


@pytest.mark.parametrize(
    ("answer", "passages", "cited"),
    [
        ("418 and 497 million", [], False),
        ("418 million, 497 million", [("gazette.md", "cost 418 million"), ("inquiry.txt", "is 497 million")], True),
        ("418 million, 497 million", [("gazette.md", "cost 418 million")], False),
        ("418 million, 497 million", [("gazette.md", "418 million"), ("gazette.md", "497 million")], False),
        ("418 million, 497 million", [("gazette.md", "cost 418 million"), ("inquiry.txt", "the final cost")], False),
        ("497 million", [("gazette.md", "cost 418 million"), ("inquiry.txt", "is 497 million")], False),
    ],
)
def test_cited(answer: str, passages: list[tuple[str, str]], cited: bool) -> None:
    assert grade(DISPUTED, answer, [Passage(*passage) for passage in passages]).cited is cited


@pytest.mark.parametrize(
    ("answer", "abstains"),
    [
        ("The sources do not mention its cost.", True),
        ("The final cost, 497 million, is not stated in the gazette.", False),
        ("It did not cost much.", False),
    ],
)
def test_abstains_where_there_is_an_answer(answer: str, abstains: bool) -> None:
    assert grade(CLOSED, answer).abstains is abstains


def test_each_gold_value_stands_in_each_of_its_sources() -> None:
    texts = {
        name: normalise(path.read_text("utf-8"))
        for name, path in SOURCES.items()
        if path.suffix in (".md", ".txt", ".html")
    }
    missing = [
        (asked.id, fact.values, source)
        for asked in read_questions()
        for fact in asked.facts
        for source in fact.sources
        if not fact.is_in(texts[source])
    ]
    assert not missing


def test_halves_are_of_a_size_and_a_quarter_has_no_answer() -> None:
    questions = read_questions()
    assert len({asked.id for asked in questions}) == len(questions) >= 40
    assert 4 * sum(not asked.facts for asked in questions) == len(questions)
    sizes = [
        [sum(asked.half == half and asked.kind == kind for asked in questions) for kind in KINDS] for half in HALVES
    ]
    assert sizes[0] == sizes[1]
    assert {asked.kind for asked in questions if not asked.facts} == {"absent"}
