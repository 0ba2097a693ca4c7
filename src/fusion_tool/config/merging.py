"""The merging of settings: of nested ones field by field, of all others as a whole."""

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel

from fusion_tool.config.schema import FusionConfig

ROLES = ("judge", "synthesizer")


def merge_settings(
    base: FusionConfig, changes: Mapping[str, Any], *, preset_roles: Collection[str] = ()
) -> FusionConfig:
    """Return `base` with other settings.

    Args:
        base: The configuration.
        changes: What replaces its settings; of nested ones (`limits`) only the fields that are set.
        preset_roles: Which of judge and synthesizer came with a preset's panel: another panel takes them along, so that
            no model is asked that nobody named.

    Raises:
        ConfigError: A setting is unknown or mistyped.
    """
    # Not `model_dump`: a model that was given as an object must stay that very object.
    values = {name: getattr(base, name) for name in FusionConfig.model_fields}
    # Before the changes are merged, which may name a judge or a synthesizer beside the panel.
    if "panel" in changes:
        values |= dict.fromkeys(preset_roles)
    return FusionConfig(**(values | {name: _merge(values.get(name), value) for name, value in changes.items()}))


def _merge(old: Any, new: Any) -> Any:
    # `Limits(usd=1)` sets one limit; the defaults of the others were chosen by nobody.
    if isinstance(new, BaseModel) and type(new) is type(old):
        new = {name: getattr(new, name) for name in new.model_fields_set}
    # A role that names a model is replaced whole: another model's address, key or temperature are not for it.
    if not isinstance(old, BaseModel) or not isinstance(new, dict) or "model" in new:
        return new
    return dict(old) | new
