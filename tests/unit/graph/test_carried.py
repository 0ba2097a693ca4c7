"""Answers are chosen by what sources carry, not by how many marks they have."""

from fusion_tool.graph.agents.answers import panel_answers, seat_audit
from fusion_tool.graph.state import answer_key
from fusion_tool.graph.strategies import STRATEGIES
from tests.unit.seats import FIRE, MILL, record, state

BUILT, BURNED = "The mill was built in 1861", "The mill burned down in 1904"
FALSE = f"The mill was built in 1871 [{MILL['id']}]."


def test_a_sentence_counts_once_however_many_marks_it_has():
    marked = record(0, f"{BUILT} [{MILL['id']}] [{FIRE['id']}]. {BUILT} [{MILL['id']}].", found=[MILL, FIRE])
    plain = record(1, f"{BUILT}. {BURNED}.", found=[MILL, FIRE])
    assert [seat_audit(answer).balance for answer in (marked, plain)] == [1, 2]


def test_what_is_false_or_invented_counts_against_an_answer():
    answer = record(0, f"{BURNED} [{FIRE['id']}]. {FALSE} It was sold in 1899 [deadbeef].", found=[MILL, FIRE])
    assert seat_audit(answer).balance == -1


def decision(*records):
    answers = panel_answers(state(*records))
    return STRATEGIES["cascade"].decide_early("When was the mill built?", answers, is_last=True).key


def test_of_closed_answers_that_agree_the_best_carried_stands():
    carried = record(0, f"{BUILT} [{MILL['id']}].\n\nAnswer: 1861", found=[MILL])
    bare = record(1, "Answer: 1861")
    assert decision(carried, bare) == answer_key(carried)


def test_the_reserve_decides_unless_sources_carry_another_answer_better():
    first, second, reserve = record(0, "1861"), record(1, "1871"), record(2, "1881", wave=2)
    assert decision(first, second, reserve) == answer_key(reserve)
    carried = record(0, f"{BUILT} [{MILL['id']}].\n\nAnswer: 1861", found=[MILL])
    assert decision(carried, second, reserve) == answer_key(carried)
