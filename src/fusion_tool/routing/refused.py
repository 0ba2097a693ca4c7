"""Where no model meets the limits: which limit binds, and what comes nearest."""

from collections.abc import Sequence

from fusion_tool.config import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.routing.candidates import Candidate, Field


def no_plan(field: Field, config: FusionConfig, domain: str) -> ConfigError:
    """The error where no candidate meets the limits; its `field` is the limit that binds.

    Quality alone never binds, as the best there is is good enough: what keeps the good enough ones out does.
    """
    good = [one for one in field.known if one.limit != "quality"]
    nearest = min(good, key=lambda one: (one.usd or 0, one.model))
    cures = ["raise it"]
    if inside := _inside(field, config):
        best = max(inside, key=lambda one: one.quality or 0)
        cures.append(f"lower quality to {_below(best.quality or 0):g} for {best.short_name}")
    return ConfigError(
        f"no model that is good enough for {domain} fits: {nearest.short_name} has {nearest.why_not}; "
        f"{' or '.join(cures)}",
        field=nearest.limit,
    )


def short_of(field: Field, config: FusionConfig) -> str:
    """What is given up where no candidate has the asked quality; nothing where one has."""
    if field.enough >= config.quality:
        return ""
    return f"No candidate has quality {config.quality:g} here, the best one has {field.enough:.3f}. "


def within_reach(field: Field, config: FusionConfig) -> tuple[Sequence[Candidate], str]:
    """What comes nearest, and what is given up for it: quality, or else a limit."""
    if inside := _inside(field, config):
        best = max(inside, key=lambda one: one.quality or 0)
        return [best], f"Nearest plan: quality {best.quality:.3f} instead of {config.quality:g}. "
    cheapest = min(field.known, key=lambda one: (one.usd or 0, -(one.quality or 0)))
    takes = f"${cheapest.usd:.4f}" + ("" if cheapest.seconds is None else f" and {cheapest.seconds:.0f} s")
    return [cheapest], f"Nearest plan, though not within the limits: even {cheapest.short_name} takes {takes}. "


def _inside(field: Field, config: FusionConfig) -> list[Candidate]:
    """Candidates within all limits but quality."""
    usd, seconds = config.limits.usd, config.limits.seat_seconds or config.limits.seconds
    return [
        one
        for one in field.known
        if (usd is None or (one.usd or 0) <= usd) and (one.seconds is None or one.seconds <= seconds)
    ]


def _below(quality: float) -> float:
    """`quality` to three digits, not above it."""
    return int(quality * 1000) / 1000
