"""The resolution of what a caller passes (a config, a preset's name or a file, and overrides) into a `FusionConfig`."""

from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from fusion_tool.config.keys import missing_key
from fusion_tool.config.presets import LOCAL_MODEL, preset_names, shipped_configs, unknown_preset
from fusion_tool.config.presets import preset as preset_by_name
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.storage import read_toml
from fusion_tool.errors import ConfigError

ConfigLike: TypeAlias = FusionConfig | str | Path | None
"""A config, a preset's name, or the path of a TOML file; `None` is the default preset."""

DEFAULT_PRESET = "budget"
DEFAULT_KEY = "OPENROUTER_API_KEY"


def resolve_config(config: ConfigLike = None, /, **overrides: Any) -> FusionConfig:
    """Return the configuration that a call runs with.

    Args:
        config: A `FusionConfig`, a preset's name, or a TOML file's path. `None` means the preset `budget`, which needs
            `OPENROUTER_API_KEY`; with a `panel` among the overrides it means no preset, and needs no key.
        overrides: Fields that replace the configuration's own; nested ones (`limits`) merge field by field. A `panel`
            replaces the preset's judge and synthesizer too, so that no model is asked that nobody named.

    Raises:
        ConfigError: Unknown preset, unreadable file, unknown or mistyped field, no key and nothing chosen.
    """
    if config is None and overrides.get("panel"):
        return FusionConfig(**overrides)
    base = _base(config)
    if not overrides:
        return base
    # Not `model_dump`: a model that was given as an object must stay that very object.
    values = {name: getattr(base, name) for name in FusionConfig.model_fields}
    # Before the overrides are merged, which may name a judge or a synthesizer beside the panel.
    if "panel" in overrides:
        values |= dict.fromkeys(_preset_roles(base))
    for name, value in overrides.items():
        values[name] = _merge(values.get(name), value)
    return FusionConfig(**values)


def load_config_file(path: Path, *, preset: str | None = None) -> FusionConfig:
    """Return the configuration that a TOML file describes.

    Args:
        path: The file; `documents` in it is relative to its folder.
        preset: The preset that its keys override; `None` takes the one that its own `preset` key names, if it has one.

    Raises:
        ConfigError: The file cannot be read, is not TOML, or holds an unknown or mistyped field.
    """
    table = read_toml(path, field="config")
    # The working folder is no help: the same file is read by servers and by commands in any folder.
    match table.get("documents"):
        case {"path": named}:
            table["documents"]["path"] = _below(path.parent, named)
        case None:
            pass
        case named:
            table["documents"] = _below(path.parent, named)
    own_preset = table.pop("preset", None)
    name = preset or own_preset
    try:
        return resolve_config(preset_by_name(str(name)), **table) if name is not None else FusionConfig(**table)
    except ConfigError as error:
        raise ConfigError(f"{error.message} (in {path})", field=error.field) from None


def _base(config: ConfigLike) -> FusionConfig:
    if isinstance(config, FusionConfig):
        return config
    if config is None:
        if missing := missing_key(DEFAULT_KEY):
            raise ConfigError(
                f"no model provider is configured: {missing}, or choose the preset 'local', "
                "which needs no key (fusion-tool model install, then --preset local)"
            )
        return preset_by_name(DEFAULT_PRESET)
    if isinstance(config, Path) or config.endswith(".toml"):
        return load_config_file(Path(config))
    if config not in preset_names() and not config.startswith(LOCAL_MODEL):
        raise ConfigError(f"{unknown_preset(config).message}; a file's name ends in .toml", field="preset")
    return preset_by_name(config)


def _preset_roles(base: FusionConfig) -> list[str]:
    """Return which of judge and synthesizer came with a preset's panel, as against those that the user named."""
    # By comparison: a config does not record the preset that it was made from.
    first = base.panel[0].model_name
    own = (preset_by_name(first),) if first.startswith(LOCAL_MODEL) else ()
    presets = [config for config in (*shipped_configs(), *own) if config.panel == base.panel]
    return [
        role
        for role in ("judge", "synthesizer")
        if any(getattr(config, role) == getattr(base, role) for config in presets)
    ]


def _merge(old: Any, new: Any) -> Any:
    """Return `new` merged over `old`: of nested settings only the fields that were set replace the old ones."""
    # `Limits(usd=1)` sets one limit; the defaults of the others were chosen by nobody.
    if isinstance(new, BaseModel) and type(new) is type(old):
        new = {name: getattr(new, name) for name in new.model_fields_set}
    # A role that names a model is replaced whole: another model's address, key or temperature are not for it.
    if not isinstance(old, BaseModel) or not isinstance(new, dict) or "model" in new:
        return new
    return dict(old) | new


def _below(folder: Path, named: Any) -> Any:
    """Return paths of a file as they are meant: relative to its folder; what is no path is left to the schema."""
    if isinstance(named, list):
        return [_below(folder, path) for path in named]
    return folder / named if isinstance(named, str) else named
