"""What of a configuration a run may use: bans, open weights, and the keys that are set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from fusion_tool.config import FusionConfig
from fusion_tool.models.endpoints import PROVIDERS, fallback_of
from fusion_tool.panelist import Panelist
from fusion_tool.presets import shipped_roles
from fusion_tool.routing.direct import is_openrouters, nearest_in_price, opened, own_api
from fusion_tool.routing.given import given
from fusion_tool.routing.local import on_ollama_cloud
from fusion_tool.routing.names import banned_by
from fusion_tool.routing.narrow import Allowed, Barred, narrowed
from fusion_tool.routing.profiles import Profile, profile_of

__all__ = ["Allowed", "allowed"]

_HOLDS_WEIGHTS = ("local", "ollama")
"""Providers that have the weights of what they run."""
_ROUTERS = "openrouter:openrouter/"
"""How OpenRouter's own routers are named (`openrouter/auto`): nobody knows beforehand which model answers."""
_ANY = Panelist(model="openrouter:-/-")
"""A model that is not there: a pattern that means it means OpenRouter."""

_UNKNOWN_WEIGHTS = "no profile says that their weights are open (open_weights = true, in your profiles.toml, does)"

_NOT_FREE = "these are paid: only OpenRouter serves models for nothing"


def allowed(config: FusionConfig, *, profiles: Mapping[str, Profile], keyed: frozenset[str], today: date) -> Allowed:
    """`config` without the models that a run may not use, before any call, in every role and among the fallbacks.

    `deny` and `require_open_weights` take models out. Where OpenRouter's key is not set, or OpenRouter itself is
    denied, its models are asked at their vendors' own APIs if a key for that is set. A role of a shipped preset that
    has none left then gets the model nearest in price that a set key opens. A role of one's own does not, so that
    no vendor is asked that was not named: its key is found missing later, as ever.

    Args:
        config: The run's configuration.
        profiles: What is known of models.
        keyed: Providers whose key is set, as `providers_with_key` says.
        today: The day of the run; a withdrawn model takes nobody's place.

    Raises:
        ConfigError: No seat has a model left; it names the setting that binds.
    """
    rules = _Rules(config, profiles, keyed, today)
    if not is_restricted(config, keyed):
        return Allowed(config)
    left = narrowed(config, rules.admit, replace=rules.replace)
    return Allowed(left.config, (*left.notes, _NOT_FREE)) if rules.paid else left


def is_restricted(config: FusionConfig, keyed: frozenset[str]) -> bool:
    """Whether `allowed` could take anything out; asked first, it saves reading the profiles."""
    if config.deny or config.require_open_weights:
        return True
    roles = (one for one in (*config.panel, config.judge, config.synthesizer) if one)
    return "openrouter" not in keyed and any(
        is_openrouters(model) for one in roles for model in (one.model, *one.fallbacks)
    )


@dataclass(frozen=True)
class _Rules:
    config: FusionConfig
    profiles: Mapping[str, Profile]
    keyed: frozenset[str]
    today: date
    seated: list[str] = field(default_factory=list)
    paid: list[str] = field(default_factory=list)
    """Models that cost something and took the place of one that did not."""

    def admit(self, one: Panelist) -> Panelist | Barred:
        """The panelist, at its vendor's own API where OpenRouter is closed; or what bars it."""
        barred = self._barred(one) or self._closed(one)
        direct = own_api(one.model, self.profiles) if is_openrouters(one.model) and not self._barred(one) else None
        if barred and direct and direct.partition(":")[0] in self.keyed:
            one = _moved(one, direct)
            barred = self._barred(one)
        if barred is None:
            self.seated.append(one.model_name)
        return barred or one

    def replace(self, one: Panelist) -> Panelist | None:
        """Who takes the place of a role with no model left; the role as it is where a key is all that is wanting."""
        models = [one.model, *one.fallbacks]
        reachable = [model for model in models if not self._barred(fallback_of(one, model))]
        if not reachable:
            return None
        candidates = opened(self.profiles, self.keyed, self.today) if one in shipped_roles() else []
        candidates = [name for name in candidates if not self._barred(_moved(one, name))]
        if (nearest := nearest_in_price(one.model_name, candidates, self.seated)) is not None:
            self.seated.append(nearest)
            if one.model.endswith(":free"):
                self.paid.append(nearest)
            return _moved(one, nearest)
        if self._closing:
            return None
        return fallback_of(one, reachable[0]).model_copy(update={"fallbacks": tuple(reachable[1:])})

    @cached_property
    def _closing(self) -> tuple[str, ...]:
        """The patterns that mean OpenRouter as such."""
        return tuple(one for one in self.config.deny if banned_by(_ANY, (one,), self.profiles))

    @cached_property
    def _beyond(self) -> tuple[str, ...]:
        """The patterns that mean a model wherever it is asked."""
        return tuple(one for one in self.config.deny if one not in self._closing)

    def _barred(self, one: Panelist) -> Barred | None:
        """What bars the model itself, wherever it is asked."""
        deny = self._beyond if is_openrouters(one.model) else self.config.deny
        if pattern := banned_by(one, deny, self.profiles):
            return Barred("deny", f"denied by '{pattern}'")
        if self.config.deny and any(model.startswith(_ROUTERS) for model, _ in given(one)):
            return Barred("deny", "may turn out to be a denied model")
        if self.config.require_open_weights and not self._open(one):
            return Barred("require_open_weights", _UNKNOWN_WEIGHTS)
        return None

    def _open(self, one: Panelist) -> bool:
        """Whether all models that the panelist may reach are known to have open weights."""
        for model, _ in given(one):
            profile = profile_of(model.removeprefix(":"), self.profiles)
            held = model.partition(":")[0] in _HOLDS_WEIGHTS and not on_ollama_cloud(model)
            if not held and not (profile and profile.open_weights):
                return False
        return True

    def _closed(self, one: Panelist) -> Barred | None:
        """What bars OpenRouter, where the model is asked there."""
        if not is_openrouters(one.model) or one.base_url is not None:
            return None
        if self._closing:
            return Barred("deny", f"denied by '{self._closing[0]}', and no key of their vendor's is set")
        if one.api_key_env or "openrouter" in self.keyed:
            return None
        return Barred("panel", f"{PROVIDERS['openrouter'].keys[0]} is not set, nor a key of their vendor's")


def _moved(one: Panelist, model: str) -> Panelist:
    """`one` with a model elsewhere; reasoning effort is for OpenAI and OpenRouter models alone."""
    moved = fallback_of(one, model)
    return moved if model.startswith("openai:") else moved.model_copy(update={"reasoning": None})
