"""The matrix: each seat in its column, whatever names the judge used."""

import pytest

from fusion_tool.graph.result import Analysis
from fusion_tool.report.matrix import Matrix, build_matrix
from tests.unit.report.samples import ANALYSIS, MODELS, SEATS, response

_NOTHING = Analysis(consensus=[], contradictions=[], partial_coverage=[], unique_insights=[], blind_spots=[])


def _signs(found: Matrix) -> dict[str, list[list[str]]]:
    return {name: [[cell.sign for cell in row.cells] for row in rows] for name, rows in found.groups}


def test_each_seat_stands_where_the_judge_put_it() -> None:
    found = build_matrix(ANALYSIS, [response(seat) for seat in SEATS])
    assert found.seats == list(SEATS)
    assert _signs(found) == {
        "Disputed": [["a", "b", "a"]],
        "Agreed by all or most": [[], []],
        "Said by some": [["●", "●", ""]],
        "Said by one": [["", "", "★"]],
    }
    (dispute,) = found.groups[0][1]
    assert dispute.stances == [
        ("a", f"{SEATS[0]}, {SEATS[2]}", "1861, by the land register"),
        ("b", SEATS[1], "1871"),
    ]
    assert [(row.model, row.claim) for row in found.unsupported] == [(SEATS[1], "It was built in 1871.")]


def test_two_seats_of_one_model_are_told_by_their_labels() -> None:
    answers = [response("opus"), response("opus-2").model_copy(update={"model": "opus"})]
    found = build_matrix(
        Analysis(**{**_NOTHING.model_dump(), "unique_insights": [{"model": "opus", "insight": "x"}]}), answers
    )
    assert _signs(found) == {"Said by one": [["★", ""]]}


def test_a_name_that_is_no_seat_is_shown_beside_the_point() -> None:
    found = build_matrix(
        Analysis(**{**_NOTHING.model_dump(), "partial_coverage": [{"models": ["A", MODELS[SEATS[0]]], "point": "x"}]}),
        [response(SEATS[0])],
    )
    ((_, (row,)),) = found.groups
    assert (row.others, [cell.sign for cell in row.cells]) == (["A"], ["●"])


def test_a_seat_of_two_waves_has_one_column() -> None:
    assert build_matrix(_NOTHING, [response("a"), response("b"), response("a", wave=2)]).seats == ["a", "b"]


@pytest.mark.parametrize("sides", [1, 26, 40])
def test_every_side_has_a_sign_of_its_own(sides: int) -> None:
    stances = [{"model": f"m{n}", "stance": f"s{n}"} for n in range(sides)]
    dispute = {"topic": "t", "stances": stances}
    found = build_matrix(Analysis(**{**_NOTHING.model_dump(), "contradictions": [dispute]}), [])
    assert len({sign for sign, _, _ in found.groups[0][1][0].stances}) == sides
