"""How often all seats are wrong together: the bound on whatever chooses among them."""

import json

import pytest
from typer.testing import CliRunner

from fusion_tool.cli.main import app
from fusion_tool.evals.report.tables import to_markdown
from fusion_tool.evals.rows import AnswerRow
from fusion_tool.evals.statistics import share_of
from fusion_tool.evals.summary import summarize
from tests.unit.evals.folders import answer, folder, panel, references, result, solo
from tests.unit.evals.tasks import task


def right(n, *seats, said=None):
    """Task n's answers: each seat's own number, and the panel's, by default the first seat's."""
    return f"t{n}", f"The answer: {seats[0] if said is None else said}.", [f"The answer: {seat}." for seat in seats]


CASES = [right(0, 0, 7), right(1, 7, 1), right(2, 7, 8), right(3, 7, 8, said=3)]


@pytest.fixture
def measured(tmp_path):
    results = folder(tmp_path, (*references(5), task()), panel(), solo())
    for name, said, seats in CASES:
        answer(results, "panel", name, said, result=result(said, *seats))
    # What has no reference, or no panel's answer, says nothing of the seats.
    answer(results, "panel", "mill", "1861", result=result("1861", "1861", "1862"))
    results.add_answer(AnswerRow.of_failure("panel", "t4", "timeout", "late"))
    answer(results, "solo", "t0", "0", result=result("0", "0"))
    return results


def test_tasks_on_which_no_seat_is_right_are_counted(measured):
    by_panel, by_solo = (arm.metrics["co_failure"] for arm in summarize(measured).arms)
    assert (by_panel.tasks, by_panel.all_wrong, by_panel.oracle, by_panel.best_seat, by_panel.answer) == (4, 2, 2, 1, 2)
    assert by_panel.interval == share_of(2, 4, method="exact")
    assert by_solo is None


def test_a_seat_without_an_answer_is_not_right(tmp_path):
    results = folder(tmp_path, references(1), panel())
    made = result("The answer: 0.", "The answer: 7.")
    plan = made.plan.model_copy(update={"seats": ["s0", "s1"]})
    answer(results, "panel", "t0", made.answer, result=made.model_copy(update={"plan": plan}))
    assert summarize(results).arms[0].metrics["co_failure"].all_wrong == 1


@pytest.mark.parametrize(
    ("met", "of", "low", "high"), [(0, 10, 0.0, 0.3085), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1)]
)
def test_the_interval_is_clopper_and_pearsons(met, of, low, high):
    found = share_of(met, of, method="exact")
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_nothing_of_nothing_has_no_interval():
    assert share_of(0, 0, method="exact") is None


def test_it_is_told_in_the_report_and_as_json(measured):
    assert "50.0%" in to_markdown(summarize(measured)).partition("wrong together")[2]
    done = CliRunner().invoke(app, ["eval", "report", str(measured.folder), "--json"])
    assert done.exit_code == 0, done.output
    arms = json.loads(done.stdout)["arms"]
    found = arms[0]["metrics"]["co_failure"]
    low, high = (pytest.approx(end, abs=1e-4) for end in (0.0676, 0.9324))
    assert found == {
        "tasks": 4,
        "all_wrong": 2,
        "oracle": 2,
        "best_seat": 1,
        "answer": 2,
        "interval": {"low": low, "high": high},
    }
