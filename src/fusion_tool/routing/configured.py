"""The models that a configuration names, in its roles and as their fallbacks, each as it is to be asked."""

from collections.abc import Mapping

from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.models.endpoints import fallback_of


def configured(config: FusionConfig) -> Mapping[str, Panelist]:
    """The named models: a role's with its settings, the panel's before others; then the roles' fallbacks.

    A model that was given as an object has no name that would lead to it, and is none of them.
    """
    roles = (*config.panel, config.judge_or_default, config.synthesizer_or_default)
    behind = (fallback_of(one, model) for one in roles for model in one.fallbacks)
    return {one.model: one for one in reversed((*roles, *behind)) if isinstance(one.model, str)}


def has_own_endpoint(one: Panelist) -> bool:
    """Whether the model is asked elsewhere, or with another key, than its bare name says."""
    return one.base_url is not None or one.api_key_env is not None
