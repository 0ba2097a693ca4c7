"""The explanation of the router's choice, or of why there is none, in sentences for people."""

from collections.abc import Sequence

from fusion_tool.config import choices
from fusion_tool.config.base import RUN_SECONDS
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.routing.candidates import Candidate, CandidateSet
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


def no_candidate_error(field: CandidateSet, config: FusionConfig, domain: str) -> ConfigError:
    """Return the error where no candidate meets the limits; its `field` is the limit that binds.

    Quality alone never binds, as the best there is is good enough: what keeps the good enough ones out does.
    """
    good = [candidate for candidate in field.eligible if candidate.limit != "quality"]
    nearest = min(good, key=lambda candidate: (candidate.usd or 0, candidate.model))
    cures = ["raise it"]
    if within_limits := _candidates_within_limits(field, config):
        best = max(within_limits, key=lambda candidate: candidate.quality or 0)
        # Rounded down: at the next higher number the model would still be out.
        cures.append(f"lower quality to {int((best.quality or 0) * 1000) / 1000:g} for {best.short_name}")
    return ConfigError(
        f"no model that is good enough for {domain} fits: {nearest.short_name} has {nearest.rejection}; "
        f"{' or '.join(cures)}",
        field=nearest.limit,
    )


def shortfall(field: CandidateSet, config: FusionConfig) -> str:
    """Return what is given up where no candidate has the asked quality; nothing where one has."""
    if field.enough >= config.quality:
        return ""
    return f"No candidate has quality {config.quality:g} here, the best one has {field.enough:.3f}. "


def nearest_plan(field: CandidateSet, config: FusionConfig) -> tuple[Sequence[Candidate], str]:
    """Return what comes nearest, and what is given up for it: quality, or else a limit."""
    if within_limits := _candidates_within_limits(field, config):
        best = max(within_limits, key=lambda candidate: candidate.quality or 0)
        return [best], f"Nearest plan: quality {best.quality:.3f} instead of {config.quality:g}. "
    # Nothing is within the limits: the cheapest passes them least.
    cheapest = min(field.eligible, key=lambda candidate: (candidate.usd or 0, -(candidate.quality or 0)))
    takes = f"${cheapest.usd:.4f}" + ("" if cheapest.seconds is None else f" and {cheapest.seconds:.0f} s")
    return [cheapest], f"Nearest plan, though not within the limits: even {cheapest.short_name} takes {takes}. "


def _candidates_within_limits(field: CandidateSet, config: FusionConfig) -> list[Candidate]:
    """Return the candidates within all limits but quality."""
    usd, seconds = config.limits.usd, config.limits.seat_seconds or config.limits.seconds or RUN_SECONDS
    return [
        candidate
        for candidate in field.eligible
        if (usd is None or (candidate.usd or 0) <= usd) and (candidate.seconds is None or candidate.seconds <= seconds)
    ]
