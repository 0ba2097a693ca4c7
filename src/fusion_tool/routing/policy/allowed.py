"""Allowed models: bans, open weights and missing keys, and what takes the place of a model that is out."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache

from fusion_tool.budget.pricing import cost_of, is_priced
from fusion_tool.config.choices import OWN_PROVIDERS
from fusion_tool.config.presets import shipped_roles
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.ollama import on_ollama_cloud
from fusion_tool.models.providers import PROVIDERS, with_model
from fusion_tool.routing.policy.locality import reachable_models
from fusion_tool.routing.policy.model_names import matching_ban, vendors
from fusion_tool.routing.policy.restrict import Rejection, RestrictedConfig, restrict
from fusion_tool.routing.profiles import Profile, profile_of

_PROMPT, _ANSWER = 10_000, 1_000
"""Tokens of the call by which prices are compared: research reads ten times what it writes."""


def vendor_model(model: str, profiles: Mapping[str, Profile]) -> str | None:
    """Return an OpenRouter model's name at its vendor's own API, `"provider:model"`; `None` where it has none.

    The profile's `direct` says it. Without a profile it is the slug under the vendor's own provider, as the vendor
    spells versions, if the price list knows it so. An alias (`~vendor/model-latest`) stands for the vendor's model
    that is nearest to it in price. A variant (`:free`) is OpenRouter's own and exists nowhere else.
    """
    slug = model.removeprefix("openrouter:")
    vendor, _, name = slug.removeprefix("~").partition("/")
    profile = profile_of(model, profiles)
    # An alias is served by OpenRouter alone, and no list says which model it stands for today.
    if slug.startswith("~") and not (profile and profile.direct):
        direct_names = [profile.direct for profile in profiles.values() if profile.vendor == vendor and profile.direct]
        return nearest_in_price(
            model, [profile for profile in direct_names if _provider(profile) == _own_provider(vendor)]
        )
    if profile is not None or ":" in name:
        return profile.direct if profile else None
    provider = _own_provider(vendor)
    name_at_vendor = f"{provider}:{re.sub(r'(?<=[0-9])[.](?=[0-9])', '-', name) if vendor == 'anthropic' else name}"
    return name_at_vendor if provider and is_priced(name_at_vendor) else None


def available_models(profiles: Mapping[str, Profile], keyed: frozenset[str], today: date) -> list[str]:
    """Return the models that the set keys open at providers other than OpenRouter, withdrawn ones left out.

    Args:
        profiles: What is known of models.
        keyed: Providers whose key is set.
        today: The day of the run.
    """
    alive = (profile for profile in profiles.values() if not profile.is_retired(today))
    return list(
        dict.fromkeys(profile.direct for profile in alive if profile.direct and _provider(profile.direct) in keyed)
    )


def nearest_in_price(model: str, candidates: Sequence[str], seated: Sequence[str] = ()) -> str | None:
    """Return the candidate whose price is nearest to that of `model`, so that no bill is a surprise.

    Args:
        model: The model that is replaced; for a free or unpriced one the nearest is the cheapest.
        candidates: Models, `"provider:model"`.
        seated: Models on the panel; providers that occur less often among them come first, for the sake of diversity.
    """
    seats_of = Counter(map(_provider, seated))
    target = call_usd(model) or 0.0
    # Of two that cost the same the later name: it has the higher version.
    ranked = [
        (-seats_of[_provider(candidate)], -abs(price - target), candidate)
        for candidate in candidates
        if (price := call_usd(candidate))
    ]
    return max(ranked)[-1] if ranked else None


def is_openrouters(model: object) -> bool:
    """Return whether OpenRouter serves a model of this name."""
    return isinstance(model, str) and _provider(model) == "openrouter"


def _own_provider(vendor: str) -> str | None:
    return row.direct if (row := vendors().get(vendor)) else None


def _provider(model: str) -> str:
    return model.partition(":")[0]


# A millisecond each, and a replacement is the nearest of all that the set keys open.
@lru_cache(maxsize=1024)
def call_usd(model: str) -> float | None:
    """Return US dollars of the call by which the prices of models are compared; `None` where the price is unknown."""
    return cost_of(model, input_tokens=_PROMPT, output_tokens=_ANSWER)[0]


_ROUTERS = "openrouter:openrouter/"
"""How OpenRouter's own routers are named (`openrouter/auto`): nobody knows beforehand which model answers."""
_ANY = Panelist(model="openrouter:-/-")
"""A model that is not there: a pattern that means it means OpenRouter."""

_UNKNOWN_WEIGHTS = "no profile says that their weights are open (open_weights = true, in your profiles.toml, does)"

_NOT_FREE = "these are paid: only OpenRouter serves models for nothing"
"""The note where a free model was replaced by a paid one."""


def apply_bans(
    config: FusionConfig, *, profiles: Mapping[str, Profile], keyed: frozenset[str], today: date
) -> RestrictedConfig:
    """Take the models that a run may not use out of `config`: in every role and among the fallbacks.

    `deny` and `require_open_weights` take models out, and so does the day on which their vendor retires them. Where
    OpenRouter's key is not set, or OpenRouter itself is denied, its models are asked at their vendors' own APIs if a
    key for that is set. A role of a shipped preset that has none left then gets the model nearest in price that a set
    key opens. A role that the user wrote does not, so that no vendor is asked whom nobody named: the check before the
    run then says which key is missing.

    Args:
        config: The run's configuration.
        profiles: What is known of models.
        keyed: Providers whose key is set, as `providers_with_key` says.
        today: The day of the run; a withdrawn model takes nobody's place.

    Raises:
        ConfigError: No seat has a model left; it names the setting that binds.
    """
    rules = _Rules(config, profiles, keyed, today)
    restricted = restrict(config, rules.admit, replace=rules.replace)
    return RestrictedConfig(restricted.config, (*restricted.notes, _NOT_FREE)) if rules.paid else restricted


@dataclass(frozen=True)
class _Rules:
    config: FusionConfig
    profiles: Mapping[str, Profile]
    keyed: frozenset[str]
    today: date
    seated: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    """Models that cost something and took the place of one that did not."""

    def admit(self, panelist: Panelist) -> Panelist | Rejection:
        """Return the panelist, moved to its vendor's own API where OpenRouter is barred; or why it is out."""
        rejection = self._bar(panelist)
        if rejection is None and (rejection := self._bar_openrouter(panelist)) is not None:
            direct = vendor_model(panelist.model, self.profiles)
            if direct and direct.partition(":")[0] in self.keyed:
                panelist = _move(panelist, direct)
                rejection = self._bar(panelist)  # again: a ban may name the vendor's own API
        if rejection is None:
            self.seated.append(panelist.model_name)
        return rejection or panelist

    def replace(self, panelist: Panelist) -> Panelist | None:
        """Return what replaces a role with no model left; the role as it is where only a key is missing."""
        models = [panelist.model, *panelist.fallbacks]
        reachable = [model for model in models if not self._bar(with_model(panelist, model))]
        if not reachable:
            return None
        # Only for roles as a preset ships them: whoever writes down a model must not find another vendor's asked.
        candidates = available_models(self.profiles, self.keyed, self.today) if panelist in shipped_roles() else []
        candidates = [name for name in candidates if not self._bar(_move(panelist, name))]
        if (nearest := nearest_in_price(panelist.model_name, candidates, self.seated)) is not None:
            self.seated.append(nearest)
            if panelist.model.endswith(":free"):
                self.paid.append(nearest)
            return _move(panelist, nearest)
        # Without a key the role stays, so that the check before the run names the key; a denied provider is final.
        if self._openrouter_bans:
            return None
        return with_model(panelist, reachable[0]).model_copy(update={"fallbacks": tuple(reachable[1:])})

    @cached_property
    def _openrouter_bans(self) -> tuple[str, ...]:
        """The patterns that ban OpenRouter as such, and not one of its models."""
        return tuple(pattern for pattern in self.config.deny if matching_ban(_ANY, (pattern,), self.profiles))

    @cached_property
    def _beyond(self) -> tuple[str, ...]:
        """The patterns that ban a model wherever it is asked."""
        return tuple(pattern for pattern in self.config.deny if pattern not in self._openrouter_bans)

    def _bar(self, panelist: Panelist) -> Rejection | None:
        """Return what bars the model itself, wherever it is asked; `None` where nothing does."""
        # A ban of OpenRouter is no ban of its models: they may be asked at their vendors.
        deny = self._beyond if is_openrouters(panelist.model) else self.config.deny
        if pattern := matching_ban(panelist, deny, self.profiles):
            return Rejection("deny", f"denied by '{pattern}'")
        if self.config.deny and any(model.startswith(_ROUTERS) for model, _ in reachable_models(panelist)):
            return Rejection("deny", "may turn out to be a denied model")
        if self.config.require_open_weights and not self._has_open_weights(panelist):
            return Rejection("require_open_weights", _UNKNOWN_WEIGHTS)
        profile = profile_of(panelist.model_name, self.profiles)
        # Elsewhere than at its vendor somebody may go on serving it.
        if profile is None or panelist.base_url is not None or not profile.is_retired(self.today):
            return None
        follower = f", {profile.successor} follows it" if profile.successor else ""
        return Rejection("panel", f"retired on {profile.retires_on}{follower}")

    def _has_open_weights(self, panelist: Panelist) -> bool:
        """Return whether all models that the panelist may reach are known to have open weights."""
        for model, _ in reachable_models(panelist):
            profile = profile_of(model.removeprefix(":"), self.profiles)
            # Whatever runs on the user's own machine could be downloaded; no profile is needed to know that.
            is_downloaded = model.partition(":")[0] in OWN_PROVIDERS and not on_ollama_cloud(model)
            if not is_downloaded and not (profile and profile.open_weights):
                return False
        return True

    def _bar_openrouter(self, panelist: Panelist) -> Rejection | None:
        """Return what bars OpenRouter, where the model is asked there; `None` where nothing does."""
        if not is_openrouters(panelist.model) or panelist.base_url is not None:
            return None
        if self._openrouter_bans:
            return Rejection("deny", f"denied by '{self._openrouter_bans[0]}', and no key of their vendor's is set")
        if panelist.api_key_env or "openrouter" in self.keyed:
            return None
        return Rejection("panel", f"{PROVIDERS['openrouter'].keys[0]} is not set, nor a key of their vendor's")


def _move(panelist: Panelist, model: str) -> Panelist:
    """Return `panelist` with a model elsewhere; reasoning effort is for OpenAI and OpenRouter models alone."""
    panelist = with_model(panelist, model)
    return panelist if model.startswith("openai:") else panelist.model_copy(update={"reasoning": None})
