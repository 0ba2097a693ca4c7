"""Whether two quantities are the same within the precision they are written with."""

from fusion_tool.grounding.quantities import Quantity

_HEDGED, _PLAIN = 0.06, 0.025
"""Relative error forgiven to a rounded number with and without "about"; judged by hand, not measured."""

_REACH = 1.25
"""How far above its bound "more than" may lie before it is no honest summary, as a factor."""


def agrees(claim: Quantity, source: Quantity) -> bool:
    """Whether `source` bears out `claim`: same dimension, and the values agree as precisely as written."""
    if claim.dimension != source.dimension or {claim.bound, source.bound} == {"above", "below"}:
        return False
    if claim.bound == "above":
        return claim.value <= source.value <= _REACH * claim.value or (bool(source.bound) and _near(claim, source))
    if claim.bound == "below":
        return claim.value >= source.value >= claim.value / _REACH or (bool(source.bound) and _near(claim, source))
    return _near(claim, source)


def _near(claim: Quantity, source: Quantity) -> bool:
    gap, size = abs(claim.value - source.value), max(abs(claim.value), abs(source.value))
    if claim.bound or source.bound:
        allowed = _HEDGED * size
    else:
        step = max(claim.step, source.step) if claim.step != source.step else 0.0
        allowed = min(step / 2, _PLAIN * size)
    return gap <= allowed * (1 + 1e-9) + 1e-9 * size
