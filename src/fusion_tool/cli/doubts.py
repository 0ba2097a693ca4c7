"""What speaks against relying on a model: it retires, or its provider no longer lists it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from fusion_tool.cli.listings import Listed, Listing, address, found, listings
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.models.endpoints import fallback_of
from fusion_tool.routing.profiles import load_profiles, profile_of

SOON = timedelta(days=30)


@dataclass(frozen=True)
class Doubt:
    """One warning.

    Args:
        model: As the configuration or the profile names it; a provider's address where that gives no list.
        kind: `unlisted` is a list that could not be had.
        detail: The warning as one line.
        day: The model's last day, where it is known.
    """

    model: str
    kind: Literal["retires", "deprecated", "missing", "unlisted"]
    detail: str
    day: date | None = None


def candidates(config: FusionConfig) -> list[Panelist]:
    """Every model that `config` may call by name, fallbacks included, each once."""
    roles = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    named = [fallback_of(role, model) for role in roles for model in (role.model, *role.fallbacks)]
    return list({(one.model_name, one.base_url): one for one in named if isinstance(one.model, str)}.values())


def recorded(names: Iterable[str]) -> list[Panelist]:
    """The models of recorded calls; not those at an endpoint of their own, whose key only a configuration names."""
    return [Panelist(model=name) for name in names if ":" in name and " at " not in name]


def profiled() -> list[Panelist]:
    """Every model that has a profile, as it is called first."""
    return [Panelist(model=profile.names[0]) for profile in load_profiles().values()]


def retiring(models: Iterable[str], today: date) -> list[Doubt]:
    """Those of `models` whose profile says that they retire within 30 days, or have."""
    profiles = load_profiles()
    doubts = []
    for model in dict.fromkeys(models):
        profile = profile_of(model, profiles)
        day = profile.retires_on if profile else None
        if day is not None and day - today <= SOON:
            told = f"retired on {day}" if day <= today else f"retires on {day}, in {(day - today).days} days"
            doubts.append(Doubt(model, "retires", told, day))
    return doubts


async def unlisted(panelists: Iterable[Panelist]) -> list[Doubt]:
    """Those of `panelists` that their providers list as deprecated, or not at all; each provider is asked once."""
    asked = {(one.model_name, address(one)): one for one in panelists}
    lists = await listings(asked.values())
    refusals = [
        Doubt(url, "unlisted", f"its list of models could not be had: {why}")
        for url, why in lists.items()
        if isinstance(why, str)
    ]
    doubts = (_doubt(one, lists) for one in asked.values())
    return [*(doubt for doubt in doubts if doubt is not None), *refusals]


def _doubt(one: Panelist, lists: Mapping[str, Listing | str]) -> Doubt | None:
    url = address(one)
    listing = lists.get(url) if url else None
    if url is None or listing is None or isinstance(listing, str):
        return None
    match found(one, listing):
        case None:
            return Doubt(one.model_name, "missing", f"is not among the models that {url} lists")
        case Listed(deprecated=True, last_day=None):
            return Doubt(one.model_name, "deprecated", "is listed as deprecated")
        case Listed(deprecated=True, last_day=day):
            return Doubt(one.model_name, "deprecated", f"is listed as deprecated; its last day is {day}", day)
    return None
