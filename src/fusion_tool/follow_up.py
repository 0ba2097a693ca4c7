"""The follow-up wave: what the judge found disputed or missing, as pointed questions for single seats."""

from collections.abc import Iterator, Sequence

from fusion_tool.briefing import Briefing
from fusion_tool.budget import MOST_ASKS
from fusion_tool.prompts import render
from fusion_tool.result import Analysis
from fusion_tool.state import Ask


def follow_up_asks(analysis: Analysis, brief: Briefing, seats: Sequence[int]) -> list[Ask]:
    """One pointed question for each of up to three seats; empty where nothing is disputed or missing.

    A dispute goes to a seat without a stance in it, where there is one, and names every stance: nobody counts votes.

    Args:
        analysis: The judge's, with letters.
        brief: What it was made from.
        seats: Indices into the panel of those that may be asked.
    """
    free, asked = list(seats), list[Ask]()
    for point, involved in _points(analysis, brief):
        if not free or len(asked) == MOST_ASKS:
            break
        seat = next((one for one in free if one not in involved), free[0])
        free.remove(seat)
        asked.append(Ask(seat=seat, point=point, shown=""))
    return asked


def _points(analysis: Analysis, brief: Briefing) -> Iterator[tuple[str, set[int]]]:
    """Each point, and the seats that took a stance on it: disputes, then gaps."""
    seat_of = brief.seats
    for dispute in analysis.contradictions:
        stances = "\n".join(f"- {stance.stance}" for stance in dispute.stances)
        involved = {seat_of[stance.model] for stance in dispute.stances if stance.model in seat_of}
        yield render("follow_up_dispute", topic=dispute.topic, stances=stances), involved
    for spot in analysis.blind_spots:
        yield render("follow_up_gap", spot=spot), set()
