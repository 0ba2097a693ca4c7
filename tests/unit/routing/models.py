"""The words these tests are written in."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.models.providers import PROVIDERS, with_model
from fusion_tool.routing.policy.allowed import apply_bans
from fusion_tool.routing.policy.restrict import RestrictedConfig
from fusion_tool.routing.profiles import load_profiles

PROFILES = load_profiles(Path("/nonexistent"))
TODAY = date(2026, 11, 22)
OPENROUTER = frozenset({"openrouter"})
SHIPPED = ["budget", "value", "quality", "best", "frontier", "self", "fast", "free"]
OWN_KEYS = ["openai", "anthropic", "google_genai", "deepseek", "xai", "mistralai", "moonshotai", "zai"]
"""Providers whose own key alone lets every preset answer."""

assert set(OWN_KEYS) <= set(PROVIDERS)


def left_of(config: FusionConfig, keyed: frozenset[str] | set[str] = OPENROUTER, **changed: Any) -> RestrictedConfig:
    """What a run may use of `config` with some of its fields changed."""
    config = config.model_copy(update=changed) if changed else config
    return apply_bans(config, profiles=PROFILES, keyed=frozenset(keyed), today=TODAY)


def roles(config: FusionConfig) -> list[Panelist]:
    return [*config.panel, config.judge_or_default, config.synthesizer_or_default]


def asked(config: FusionConfig) -> Iterator[Panelist]:
    """Every model that a run of `config` may call, in every role, as the panelist that it is called as."""
    for one in roles(config):
        for model in (one.model, *one.fallbacks):
            yield with_model(one, model)


def models(config: FusionConfig) -> list[str]:
    return [one.model_name for one in asked(config)]
