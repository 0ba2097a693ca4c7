"""A summary's figures as lanes: scores, differences, what is kept; each with its interval."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fusion_tool.evals.comparison import Comparison
from fusion_tool.evals.intervals import Interval
from fusion_tool.evals.sheets import percent, points, reach
from fusion_tool.evals.summary import Summary
from fusion_tool.report.picture import Lane, Mark, picture

if TYPE_CHECKING:
    from markupsafe import Markup

_STEP = 20
_HAIR = 0.15
_UNSEEN = "unseen"
"""Class of a mark that only makes an axis as long as it shall be."""


def ranked(summary: Summary) -> "Markup | None":
    """The arms' scores, the best first; `None` where none has any."""
    scored = [(arm, arm.score.score) for arm in summary.arms if arm.score.score]
    lanes = [
        Lane(arm.name, f"{points(mean.value)} ({reach(mean)}), n = {mean.n}", _marks(mean.value, mean.interval))
        for arm, mean in sorted(scored, key=lambda pair: -pair[1].value)
    ]
    return _drawn("Scores with intervals", lanes, end=100.0)


def by_domain(summary: Summary) -> "list[tuple[Markup, str]]":
    """For each pair of arms that a domain compares, the differences by domain, with their captions."""
    pairs: dict[tuple[str, str], list[tuple[str, Comparison]]] = {}
    for domain, comparisons in summary.domains.items():
        for one in comparisons:
            pairs.setdefault((one.arm, one.against), []).append((domain, one))
    found = []
    for (arm, against), rows in pairs.items():
        title = f"{arm} less {against}, by domain"
        if drawn := _differences(title, rows):
            found.append((drawn, f"{title}, in points; right of the line {arm} is better."))
    return found


def kept(summary: Summary) -> "list[tuple[Markup, str]]":
    """For each arm whose seats were graded, the share of criteria that its answer meets, by how many seats met them."""
    found = []
    for arm in summary.arms:
        lanes = [
            Lane(
                f"met by {row.seats} seats",
                f"{row.met} of {row.criteria} ({percent(row.interval)})",
                _marks(row.met / row.criteria, row.interval),
            )
            for row in (arm.retention.rows if arm.retention else ())
        ]
        if drawn := _drawn(f"Criteria that the answer of {arm.name} meets", lanes, end=100.0):
            found.append(
                (drawn, f"{arm.name}: share of criteria that the answer meets, by how many of its seats met them.")
            )
    return found


def _marks(value: float, interval: Interval | None, offset: float = 0.0) -> list[Mark]:
    told = points(value)
    dot = Mark(value * 100 + offset, value * 100 + offset, "tool", told)
    if interval is None:
        return [dot]
    low, high = interval.low * 100 + offset, interval.high * 100 + offset
    bar = Mark(low, high, "answered", f"{points(interval.low)} to {points(interval.high)}")
    return [bar, dot] if high > low else [dot]


def _drawn(title: str, lanes: Sequence[Lane], end: float) -> "Markup | None":
    """The lanes on an axis up to `end`, where there are any."""
    if not lanes:
        return None
    edge = Lane(lanes[-1].label, lanes[-1].note, [*lanes[-1].marks, Mark(end, end, _UNSEEN, "")])
    return picture(title, [*lanes[:-1], edge], lambda value: f"{value:g}")


def _differences(title: str, rows: Sequence[tuple[str, Comparison]]) -> "Markup | None":
    """Differences about a line at zero: the lanes' axis begins at 0, so that they are moved right by whole steps."""
    known = [(domain, one) for domain, one in rows if one.difference is not None]
    ends = [abs(end) * 100 for _, one in known for end in _ends(one)]
    if not ends:
        return None
    offset = float(max(1, math.ceil(max(ends) / _STEP)) * _STEP)
    zero = Mark(offset - _HAIR, offset + _HAIR, "judge", "no difference")
    lanes = [
        Lane(domain, _note(one), [zero, *_marks(one.difference or 0.0, one.interval, offset)]) for domain, one in known
    ]
    edge = Lane(lanes[-1].label, lanes[-1].note, [*lanes[-1].marks, Mark(2 * offset, 2 * offset, _UNSEEN, "")])
    return picture(title, [*lanes[:-1], edge], lambda value: f"{value - offset:+g}")


def _note(one: Comparison) -> str:
    reach = f" ({points(one.interval.low)} to {points(one.interval.high)})" if one.interval else ""
    return f"{(one.difference or 0.0) * 100:+.1f}{reach}, n = {one.n}: {one.finding}"


def _ends(one: Comparison) -> tuple[float, ...]:
    return (one.interval.low, one.interval.high) if one.interval else (one.difference or 0.0,)
