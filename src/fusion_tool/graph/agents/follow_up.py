"""A follow-up: pointed questions on what the judge found disputed or missing, one a seat."""

from collections.abc import Iterator, Sequence

from fusion_tool.budget.ledger import MAX_FOLLOW_UPS
from fusion_tool.graph.agents.answers import PanelAnswers
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import Analysis
from fusion_tool.graph.state import SeatAssignment


def follow_up_assignments(analysis: Analysis, answers: PanelAnswers, seats: Sequence[int]) -> list[SeatAssignment]:
    """Return a pointed question for each of up to three seats; none where nothing is disputed or missing.

    A dispute goes to a seat without a stance in it, where there is one, and names every stance: nobody counts votes.

    Args:
        analysis: The judge's analysis, with letters.
        answers: The answers that were compared.
        seats: The seats that may be asked, as indices into the panel.
    """
    free, assignments = list(seats), list[SeatAssignment]()
    for point, involved in _open_points(analysis, answers):
        if not free or len(assignments) == MAX_FOLLOW_UPS:
            break
        # One seat a point, so that a single model does not settle all that is open.
        seat = next((seat for seat in free if seat not in involved), free[0])
        free.remove(seat)
        assignments.append(SeatAssignment(seat=seat, point=point, shown=""))
    return assignments


def _open_points(analysis: Analysis, answers: PanelAnswers) -> Iterator[tuple[str, set[int]]]:
    """Yield each dispute, then each gap, with the seats that took a stance on it."""
    seat_of = answers.seats
    for dispute in analysis.contradictions:
        # Without saying how many hold each: a seat that knows the majority follows it.
        stances = "\n".join(f"- {stance.stance}" for stance in dispute.stances)
        involved = {seat_of[stance.model] for stance in dispute.stances if stance.model in seat_of}
        yield render("follow_up_dispute", topic=dispute.topic, stances=stances), involved
    for gap in analysis.blind_spots:
        yield render("follow_up_gap", spot=gap), set()
