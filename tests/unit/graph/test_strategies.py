"""What a strategy keeps back; what the follow-up wave asks, and whom."""

import pytest

from fusion_tool.graph.agents.answers import panel_answers
from fusion_tool.graph.agents.follow_up import follow_up_assignments
from fusion_tool.graph.result import Analysis, Contradiction, Stance
from fusion_tool.graph.strategies import STRATEGIES
from tests.unit.seats import record, state


def analysis(*disputes, blind_spots=()):
    stances = [[Stance(model=letter, stance=f"{letter} says so") for letter in letters] for letters in disputes]
    contradictions = [Contradiction(topic=f"topic {n}", stances=row) for n, row in enumerate(stances)]
    return Analysis(
        consensus=[],
        contradictions=contradictions,
        partial_coverage=[],
        unique_insights=[],
        blind_spots=list(blind_spots),
    )


def brief(answers):
    return panel_answers(state(*(record(index, f"answer {index}") for index in range(answers))))


def test_a_dispute_goes_to_a_seat_without_a_stance_in_it():
    panel = brief(3)
    for apart in "ABC":
        parties = [letter for letter in "ABC" if letter != apart]
        (ask,) = follow_up_assignments(analysis(parties), panel, [0, 1, 2])
        assert ask["seat"] == panel.seats[apart]


def test_where_all_have_a_stance_one_of_them_checks_and_every_stance_is_named():
    (ask,) = follow_up_assignments(analysis("AB"), brief(2), [0, 1])
    assert ask["seat"] in (0, 1)
    assert "- A says so\n- B says so" in ask["point"]
    assert "Do not count votes" in ask["point"]


def test_each_seat_is_asked_once_disputes_before_gaps_three_at_most():
    asks = follow_up_assignments(analysis("AB", blind_spots=["gap 1", "gap 2", "gap 3"]), brief(5), range(5))
    assert len({ask["seat"] for ask in asks}) == len(asks) == 3
    assert ["topic 0" in asks[0]["point"], "gap 1" in asks[1]["point"], "gap 2" in asks[2]["point"]] == [True] * 3


def test_nothing_open_nothing_asked():
    assert follow_up_assignments(analysis(), brief(2), [0, 1]) == []


def test_a_letter_that_stands_for_nobody_is_no_seat():
    assert [ask["seat"] for ask in follow_up_assignments(analysis("YZ"), brief(2), [0, 1])] == [0]


@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_the_shares_rise_to_the_whole(strategy):
    shares = [strategy.shares[stage] for stage in ("panelist", "judge", "synthesizer")]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
