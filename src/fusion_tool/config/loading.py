"""From what a caller hands over to a `FusionConfig`: a preset's name, a file, a config, and overrides."""

import os
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from fusion_tool.config.presets import preset as preset_by_name
from fusion_tool.config.presets import preset_names, shipped_configs
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import read_toml
from fusion_tool.errors import ConfigError

ConfigLike: TypeAlias = FusionConfig | str | Path | None
"""A config, a preset's name, or the path of a TOML file; `None` is the default preset."""

DEFAULT_PRESET = "budget"
DEFAULT_KEY = "OPENROUTER_API_KEY"


def resolve_config(config: ConfigLike = None, /, **overrides: Any) -> FusionConfig:
    """The configuration that a call runs with.

    Args:
        config: A `FusionConfig`, a preset's name, or a TOML file's path. `None` means the preset `budget`,
            and needs `OPENROUTER_API_KEY`, unless a `panel` is given: that needs no preset.
        overrides: Fields that replace the configuration's own; nested ones (`limits`) merge field by field. A `panel`
            takes the preset's judge and synthesizer along, so that no model is asked that nobody named.

    Raises:
        ConfigError: Unknown preset, unreadable file, unknown or mistyped field, no key and nothing chosen.
    """
    if config is None and overrides.get("panel"):
        return FusionConfig(**overrides)
    base = _base(config)
    if not overrides:
        return base
    values = {name: getattr(base, name) for name in FusionConfig.model_fields}
    if "panel" in overrides:
        values |= dict.fromkeys(_roles_of_a_preset(base))
    for name, value in overrides.items():
        values[name] = _merge(values.get(name), value)
    return FusionConfig(**values)


def load_config_file(path: Path, *, preset: str | None = None) -> FusionConfig:
    """The configuration in a TOML file.

    Args:
        path: The file; `documents` in it is relative to its folder.
        preset: What its keys override; by default what its own `preset` key names, if it has one.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or holds an unknown or mistyped field.
    """
    table = read_toml(path, field="config")
    match table.get("documents"):
        case str(folder):
            table["documents"] = path.parent / folder
        case {"path": str(folder)}:
            table["documents"]["path"] = path.parent / folder
    named = table.pop("preset", None)
    name = preset or named
    try:
        return resolve_config(preset_by_name(str(name)), **table) if name is not None else FusionConfig(**table)
    except ConfigError as error:
        raise ConfigError(f"{error.message} (in {path})", field=error.field) from None


def _base(config: ConfigLike) -> FusionConfig:
    if isinstance(config, FusionConfig):
        return config
    if config is None:
        if not os.environ.get(DEFAULT_KEY):
            raise ConfigError(
                f"no model provider is configured: set {DEFAULT_KEY}, or choose the preset 'local', "
                "which needs no key (fusion-tool model install, then --preset local)"
            )
        return preset_by_name(DEFAULT_PRESET)
    if isinstance(config, Path) or config.endswith(".toml"):
        return load_config_file(Path(config))
    if config not in preset_names():
        raise ConfigError(
            f"no preset '{config}'; there are {', '.join(preset_names())}; a file's name ends in .toml",
            field="preset",
        )
    return preset_by_name(config)


def _roles_of_a_preset(base: FusionConfig) -> list[str]:
    """Which of judge and synthesizer came with the panel of a preset; one that was named for itself did not."""
    presets = [config for config in shipped_configs() if config.panel == base.panel]
    return [
        role
        for role in ("judge", "synthesizer")
        if any(getattr(config, role) == getattr(base, role) for config in presets)
    ]


def _merge(old: Any, new: Any) -> Any:
    """`new` over `old`: of nested settings only the fields that were set replace the old ones."""
    if isinstance(new, BaseModel) and type(new) is type(old):
        new = {name: getattr(new, name) for name in new.model_fields_set}
    if not isinstance(old, BaseModel) or not isinstance(new, dict) or "model" in new:
        return new
    return dict(old) | new
