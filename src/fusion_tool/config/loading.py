"""The one resolution of settings, behind every face: what is passed, over the user's file, over a preset."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from fusion_tool.config.key_names import MODEL_KEYS
from fusion_tool.config.keys import first_key_cure, read_key
from fusion_tool.config.merging import ROLES, merge_settings
from fusion_tool.config.presets import preset as preset_by_name
from fusion_tool.config.presets import shipped_configs
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.user_file import ConfigFile, mention_unread_file, read_config_file, user_file
from fusion_tool.errors import ConfigError

ConfigLike: TypeAlias = FusionConfig | str | Path | None
"""A config, a preset's name, or the path of a TOML file; `None` is the user's file, else the default preset."""

DEFAULT_PRESET = "budget"
DEFAULT_KEY = MODEL_KEYS["openrouter"][0]


def resolve_config(config: ConfigLike = None, /, *, preset: str | None = None, **overrides: Any) -> FusionConfig:
    """Return the configuration that a call runs with.

    Args:
        config: A `FusionConfig`, which is taken as it is, a preset's name, or a TOML file's path. `None` means the
            user's own file, where there is one.
        preset: The preset that the file's settings override; of the user's own file the models then give way. `None`
            takes the one that the file names and, where no panel is named anywhere, `budget`, which needs
            `OPENROUTER_API_KEY` or the keys of vendors.
        overrides: Fields that replace the configuration's own; nested ones (`limits`) merge field by field. A `panel`
            replaces the preset's judge and synthesizer too, so that no model is asked that nobody named.

    Raises:
        ConfigError: Unknown preset, unreadable file, unknown or mistyped field, no key and nothing chosen.
    """
    return _resolve(config, preset, overrides, needs_key=True)


def preview_config(config: ConfigLike = None, /, *, preset: str | None = None, **overrides: Any) -> FusionConfig:
    """Return what `resolve_config` does, for callers that call no model: the default preset then needs no key."""
    return _resolve(config, preset, overrides, needs_key=False)


def _resolve(config: ConfigLike, preset: str | None, overrides: dict[str, Any], *, needs_key: bool) -> FusionConfig:
    if isinstance(config, FusionConfig):
        if preset is not None:
            raise ConfigError("a FusionConfig is whole; leave the preset out, or pass settings", field="preset")
        return merge_settings(config, overrides, preset_roles=_shipped_roles_of(config)) if overrides else config
    if isinstance(config, str) and not config.endswith(".toml"):
        if preset is not None:
            raise ConfigError(f"'{config}' and '{preset}' are two presets; name one", field="preset")
        config, preset = None, config
    if config is not None and not isinstance(config, (str, Path)):
        raise ConfigError("expected a FusionConfig, a preset's name or a file; settings are keywords", field="config")
    settings, file = _settings_of(config, has_preset=preset is not None)
    with _located(file):
        if (own := settings.pop("preset", None)) is not None and preset is None:
            base = preset_by_name(str(own), file)
        elif "panel" in settings and preset is None:
            base = FusionConfig(panel=settings["panel"])
        else:
            base = None
    # What the caller names is not the file's to mend.
    if base is None:
        base = _unfiled_base(preset, overrides, file, needs_key=needs_key)
    with _located(file):
        base = merge_settings(base, settings, preset_roles=ROLES)
    return merge_settings(base, overrides, preset_roles=[role for role in ROLES if role not in settings])


def _settings_of(named: str | Path | None, *, has_preset: bool) -> tuple[dict[str, Any], ConfigFile | None]:
    """Return the settings of the file that is named, else of the user's own, and the file."""
    if named is not None:
        file = read_config_file(Path(named))
        return dict(file.settings), file
    mention_unread_file()
    if (own := user_file()) is None:
        return {}, None
    # Whoever names a preset means its models; a file that was named beside it was chosen for its own.
    models = ("preset", "panel", *ROLES) if has_preset else ()
    return {name: value for name, value in own.settings.items() if name not in models}, own


@contextmanager
def _located(file: ConfigFile | None) -> Iterator[None]:
    try:
        yield
    except ConfigError as error:
        raise error if file is None else file.locate(error) from None


def _unfiled_base(
    preset: str | None, overrides: dict[str, Any], file: ConfigFile | None, *, needs_key: bool
) -> FusionConfig:
    """Return the configuration under the settings of a file that names neither a preset nor a panel."""
    if preset is not None:
        return preset_by_name(preset, file)
    if "panel" in overrides:
        return FusionConfig(panel=overrides["panel"])
    keys = (read_key(variable) for variables in MODEL_KEYS.values() for variable in variables)
    if needs_key and not any(keys):
        raise ConfigError(f"no model provider is configured: {first_key_cure(DEFAULT_KEY)}")
    return preset_by_name(DEFAULT_PRESET)


def _shipped_roles_of(config: FusionConfig) -> tuple[str, ...]:
    """Return which of judge and synthesizer came with a preset's panel, as against those that the user named."""
    # By comparison: a config does not record the preset that it was made from.
    own = (preset_by_name(first),) if (first := config.panel[0].model_name).startswith("local:") else ()
    presets = [one for one in (*shipped_configs(), *own) if one.panel == config.panel]
    return tuple(role for role in ROLES if any(getattr(one, role) == getattr(config, role) for one in presets))
