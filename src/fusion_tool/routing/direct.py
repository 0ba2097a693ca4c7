"""Without OpenRouter: a model at its vendor's own API, or the one nearest to it in price that a set key opens."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date

from fusion_tool.pricing import cost_of, is_priced
from fusion_tool.routing.names import vendors
from fusion_tool.routing.profiles import Profile, profile_of

_PROMPT, _ANSWER = 10_000, 1_000
"""Tokens of the call by which prices are compared: research reads ten times what it writes."""


def own_api(model: str, profiles: Mapping[str, Profile]) -> str | None:
    """The name of an OpenRouter model at its vendor's own API, `"provider:model"`; `None` where it has none there.

    The profile's `direct` says it. Without a profile it is the slug under the vendor's own provider, as the vendor
    spells versions, if the price list knows it so. An alias (`~vendor/model-latest`) stands for the vendor's model
    that is nearest to it in price. A variant (`:free`) is OpenRouter's own and exists nowhere else.
    """
    slug = model.removeprefix("openrouter:")
    vendor, _, name = slug.removeprefix("~").partition("/")
    profile = profile_of(model, profiles)
    if slug.startswith("~") and not (profile and profile.direct):
        known = [one.direct for one in profiles.values() if one.vendor == vendor and one.direct]
        return nearest_in_price(model, [one for one in known if _provider(one) == _own(vendor)])
    if profile is not None or ":" in name:
        return profile.direct if profile else None
    provider = _own(vendor)
    spelled = f"{provider}:{re.sub(r'(?<=[0-9])[.](?=[0-9])', '-', name) if vendor == 'anthropic' else name}"
    return spelled if provider and is_priced(spelled) else None


def opened(profiles: Mapping[str, Profile], keyed: frozenset[str], today: date) -> list[str]:
    """The models that the set keys open at providers other than OpenRouter, withdrawn ones left out.

    Args:
        profiles: What is known of models.
        keyed: Providers whose key is set.
        today: The day of the run.
    """
    alive = (one for one in profiles.values() if not one.retired(today))
    return list(dict.fromkeys(one.direct for one in alive if one.direct and _provider(one.direct) in keyed))


def nearest_in_price(model: str, candidates: Sequence[str], seated: Sequence[str] = ()) -> str | None:
    """Of `candidates` the one that costs most nearly what `model` does, so that no bill is a surprise.

    Args:
        model: What it stands in for; a free or unpriced one has the cheapest for its neighbour.
        candidates: Models, `"provider:model"`.
        seated: Models that sit on the panel; providers less often among them come first, for diversity's sake.
    """
    taken = Counter(map(_provider, seated))
    wanted = _price(model) or 0.0
    # Of two that cost the same the later name: it has the higher version.
    ranked = [(-taken[_provider(one)], -abs(price - wanted), one) for one in candidates if (price := _price(one))]
    return max(ranked)[-1] if ranked else None


def is_openrouters(model: object) -> bool:
    """Whether OpenRouter serves a model of this name."""
    return isinstance(model, str) and _provider(model) == "openrouter"


def _own(vendor: str) -> str | None:
    return known.direct if (known := vendors().get(vendor)) else None


def _provider(model: str) -> str:
    return model.partition(":")[0]


def _price(model: str) -> float | None:
    return cost_of(model, input_tokens=_PROMPT, output_tokens=_ANSWER)[0]
