"""What the router says of a decision, for people."""

from collections.abc import Sequence

from fusion_tool.routing.candidates import Candidate
from fusion_tool.routing.signals import Domain, Signals

_FEW = 3
"""Words of evidence that are named."""


def spoken(domain: Domain) -> str:
    """The domain in plain words."""
    return domain.replace("_", " ")


def reason(  # noqa: PLR0913 - the parts of a sentence
    strategy: str, seats: Sequence[Candidate], signals: Signals, *, basis: str, quality: float, usd: float | None
) -> str:
    """Domain and evidence, the chosen models, what their quality rests on, and the price.

    Args:
        strategy: `solo`, `cascade` or `panel`.
        seats: The chosen models; a cascade's last is the strong one.
        signals: What was told of the question.
        basis: The benchmark, or what stands in for it.
        quality: The share of the best score that was asked for.
        usd: What the run is expected to cost with every seat asked.
    """
    lead = seats[-1] if strategy == "cascade" else seats[0]
    names = ", ".join(one.short_name for one in seats)
    is_enough = lead.why_not is None and (lead.quality or 0) >= quality
    match strategy:
        case "solo":
            shape = f"{names} alone is the cheapest that is good enough" if is_enough else f"{names} alone"
        case "cascade":
            shape = f"{names}: two cheap scouts of different families, the best model where they disagree"
        case _:
            shape = f"{names}: {len(seats)} different model families{' that are good enough' * is_enough}"
    points = "" if lead.score is None else f"{lead.score:g} points, "
    worth = f"{lead.short_name}: {points}{lead.quality or 0:.3f} of the best allowed by {basis}, {quality:g} asked"
    price = "at an unknown price" if usd is None else f"for ${usd:.4f} expected{' if all are asked' * (len(seats) > 1)}"
    return f"{_question(signals)}. {shape} ({worth}), {price}."


def _question(signals: Signals) -> str:
    domain = f"{signals.domain}: "
    said = [one.removeprefix(domain) for one in signals.evidence if one.startswith(domain)][:_FEW]
    kind = [signals.difficulty, "closed" if signals.closed else "open", *(["deep"] if signals.deep else [])]
    return f"{spoken(signals.domain)} ({', '.join(said) or 'as given'}), {', '.join(kind)}"
