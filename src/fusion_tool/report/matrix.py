"""The judge's analysis as a matrix of points by seats, which shows who said what."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from fusion_tool.graph.result import Analysis, Contradiction, Response, UnsupportedClaim


@dataclass(frozen=True)
class Cell:
    """A cell: a sign, its meaning in words for screen readers, and its class in the style sheet."""

    sign: str = ""
    text: str = "does not say it"
    kind: str = "silent"


@dataclass(frozen=True)
class MatrixRow:
    """A point and the position of each seat on it.

    Args:
        point: The judge's words.
        cells: One for each seat, in the columns' order; empty where the judge does not tell seats apart.
        stances: The sides of a dispute: sign, names, statement.
        others: Names in the analysis that no seat has.
    """

    point: str
    cells: Sequence[Cell] = ()
    stances: Sequence[tuple[str, str, str]] = ()
    others: Sequence[str] = ()


@dataclass(frozen=True)
class Matrix:
    """The analysis by seats.

    Args:
        seats: The columns.
        groups: Headings with their rows.
        blind_spots: What no answer covers, in the judge's words.
        unsupported: Claims that the judge found no source for.
    """

    seats: Sequence[str]
    groups: Sequence[tuple[str, Sequence[MatrixRow]]]
    blind_spots: Sequence[str]
    unsupported: Sequence[UnsupportedClaim] = ()


_SAYS, _ALONE = Cell("●", "says it", "says"), Cell("★", "says it alone", "alone")


def build_matrix(analysis: Analysis, responses: Sequence[Response]) -> Matrix:
    """Return the matrix over the seats that answered.

    Args:
        analysis: The judge's analysis, which names seats by label or by model.
        responses: The seats' answers; a seat of several waves has several.
    """
    seats = list(dict.fromkeys(response.seat for response in responses))
    # A label wins over a model of the same name.
    seat_names = {response.model: response.seat for response in responses} | {seat: seat for seat in seats}
    columns = _Columns(seats, seat_names)
    partly = [columns.row(part.point, dict.fromkeys(part.models, _SAYS)) for part in analysis.partial_coverage]
    alone = [columns.row(insight.insight, {insight.model: _ALONE}) for insight in analysis.unique_insights]
    groups = [
        ("Disputed", [columns.dispute_row(dispute) for dispute in analysis.contradictions]),
        ("Agreed by all or most", [MatrixRow(point) for point in analysis.consensus]),
        ("Said by some", partly),
        ("Said by one", alone),
    ]
    unsupported = [
        row.model_copy(update={"model": seat_names.get(row.model, row.model)}) for row in analysis.unsupported_claims
    ]
    return Matrix(seats, [(name, rows) for name, rows in groups if rows], analysis.blind_spots, unsupported)


@dataclass(frozen=True)
class _Columns:
    seats: Sequence[str]
    seat_names: dict[str, str]

    def row(self, point: str, cells: dict[str, Cell], stances: Sequence[tuple[str, str, str]] = ()) -> MatrixRow:
        """Return a row with `cells`, which are by name, in their columns."""
        # A judge is a model, and may name what is no seat: shown beside the point, unless the stances name it already.
        by_seat = {self.seat_names[name]: cell for name, cell in cells.items() if name in self.seat_names}
        others = [] if stances else [name for name in cells if name not in self.seat_names]
        return MatrixRow(point, [by_seat.get(seat, Cell()) for seat in self.seats], stances, others)

    def dispute_row(self, dispute: Contradiction) -> MatrixRow:
        """Return the row of one dispute, in which seats with the same words are one side."""
        # The judge states a stance for each seat; a side is what has one letter in the row.
        sides: dict[str, list[str]] = {}
        for stance in dispute.stances:
            sides.setdefault(stance.stance, []).append(stance.model)
        signs = [_letter(place) for place in range(len(sides))]
        cells = {
            name: Cell(sign, f"side {sign}", f"side side-{sign}")
            for sign, names in zip(signs, sides.values(), strict=True)
            for name in names
        }
        stances = [
            (sign, ", ".join(self.seat_names.get(name, name) for name in names), statement)
            for sign, (statement, names) in zip(signs, sides.items(), strict=True)
        ]
        return self.row(dispute.topic, cells, stances)


def _letter(place: int) -> str:
    return ascii_lowercase[place] if place < len(ascii_lowercase) else str(place + 1)
