"""Why the configuration, or a missing key, keeps a model from being chosen."""

from collections.abc import Collection, Mapping

from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.models.endpoints import KEYS
from fusion_tool.routing.candidates import Refusal
from fusion_tool.routing.configured import configured, has_own_endpoint
from fusion_tool.routing.local import is_local
from fusion_tool.routing.names import banned_by
from fusion_tool.routing.profiles import Profile, profile_of


def refusals(config: FusionConfig, *, profiles: Mapping[str, Profile], keyed: Collection[str] | None) -> Refusal:
    """What `choose` asks of every model: `None`, or why it is out.

    Args:
        config: `candidates`, `privacy`, `deny` and `require_open_weights`.
        profiles: What is known of models.
        keyed: Providers whose key is set; `None` plans as if all were.
    """
    named = configured(config)

    def refusal(model: str) -> str | None:
        if config.candidates == "configured" and model not in named:
            return "is not one of the configured models"
        one, provider = named.get(model) or Panelist(model=model), model.partition(":")[0]
        if config.privacy == "local" and not is_local(one):
            return "privacy is local, and it is not"
        if pattern := banned_by(one, config.deny, profiles):
            return f"denied by '{pattern}'"
        profile = profile_of(model, profiles)
        if config.require_open_weights and not (profile and profile.open_weights):
            return "its weights are not known to be open"
        if keyed is not None and provider in KEYS and provider not in keyed and not has_own_endpoint(one):
            return f"{KEYS[provider]} is not set"
        return None

    return refusal
