"""The explanation of the router's choice, in a sentence for people."""

from collections.abc import Sequence

from fusion_tool.config import choices
from fusion_tool.routing.candidates import Candidate
from fusion_tool.routing.classifier.signals import Domain, Signals

_MAX_WORDS = 3
"""Words of evidence that an explanation names."""


def domain_label(domain: Domain) -> str:
    """Return the domain in plain words."""
    return domain.replace("_", " ")


def explain_choice(  # noqa: PLR0913 - the parts of a sentence
    strategy: choices.PlannedStrategy,
    seats: Sequence[Candidate],
    signals: Signals,
    *,
    basis: str,
    quality: float,
    usd: float | None,
) -> str:
    """Explain a choice: domain and evidence, the chosen models, the basis of their quality, and the price.

    Args:
        strategy: `solo`, `cascade` or `panel`.
        seats: The chosen models; a cascade's last is the strong one.
        signals: The signals of the question.
        basis: The benchmark, or what stands in for it.
        quality: The share of the best score that the configuration asks for.
        usd: Expected US dollars of the run if every seat is called, `None` where unknown.
    """
    lead = seats[-1] if strategy == choices.CASCADE else seats[0]
    names = ", ".join(seat.short_name for seat in seats)
    is_enough = lead.rejection is None and (lead.quality or 0) >= quality
    # "Good enough" is claimed only where it is so: the nearest plan is explained here, too.
    match strategy:
        case choices.SOLO:
            shape = f"{names} alone is the cheapest that is good enough" if is_enough else f"{names} alone"
        case choices.CASCADE:
            shape = f"{names}: two cheap scouts of different families, the best model where they disagree"
        case _:
            shape = f"{names}: {len(seats)} different model families{' that are good enough' * is_enough}"
    scores = "" if lead.score is None else f"{lead.score:g} points, "
    worth = f"{lead.short_name}: {scores}{lead.quality or 0:.3f} of the best allowed by {basis}, {quality:g} asked"
    price = "at an unknown price" if usd is None else f"for ${usd:.4f} expected{' if all are asked' * (len(seats) > 1)}"
    return f"{_describe_question(signals)}. {shape} ({worth}), {price}."


def _describe_question(signals: Signals) -> str:
    # The leading domain's evidence alone: what speaks for another one would not explain this choice.
    domain = f"{signals.domain}: "
    words = [word.removeprefix(domain) for word in signals.evidence if word.startswith(domain)][:_MAX_WORDS]
    kind = [signals.difficulty, "closed" if signals.closed else "open", *(["deep"] if signals.deep else [])]
    return f"{domain_label(signals.domain)} ({', '.join(words) or 'as given'}), {', '.join(kind)}"
