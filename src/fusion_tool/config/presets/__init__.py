"""Presets: whole configurations by name, kept as data in this folder's TOML files; and the user's own, in the file."""

import tomllib
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from fusion_tool.config.merging import ROLES, merge_settings
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.user_file import ConfigFile, user_file
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError

OLLAMA = "ollama"
"""The one preset that is not data: it takes what a running Ollama offers."""
LOCAL = "local"
"""The preset whose models are the best installed one."""
LOCAL_MODEL = f"{LOCAL}:"
"""The beginning of a preset's name that names its local model, and of that model's name."""


def preset(name: str, file: ConfigFile | None = None) -> FusionConfig:
    """Return the configuration of the preset `name`.

    Args:
        name: One of `preset_names()`, or `local:NAME` for a panel of that local model.
        file: A configuration file whose presets count before those of the user's own file; `None` for none.

    Raises:
        ConfigError: No preset has this name, it is `ollama` and no Ollama answers, or it is the user's and wrong.
    """
    return _built_in(name) if _is_built_in(name) else _own(name, _own_tables(file))


def load_presets(names: Iterable[str], file: ConfigFile | None = None) -> dict[str, FusionConfig]:
    """Return the configurations of several presets by their names, as `preset` does."""
    return {name: preset(name, file) for name in names}


def _is_built_in(name: str) -> bool:
    return name in built_in_names() or name.startswith(LOCAL_MODEL)


def _built_in(name: str) -> FusionConfig:
    if name == OLLAMA:
        # The one import that points upwards, and a request to a server: nobody else should pay for it.
        from fusion_tool.models.ollama import installed_panel

        return installed_panel()
    family, _, model = name.partition(":")
    if family == LOCAL:
        # Upwards as well, and a look at the disk.
        from fusion_tool.models.local.catalog import panel_of

        return panel_of(model or None, _shipped(LOCAL))
    return _shipped(name)


_OwnTables: TypeAlias = dict[str, tuple[ConfigFile, dict[str, Any]]]
"""The user's presets by name, each with the file that it stands in."""


def _own(name: str, tables: _OwnTables, extending: tuple[str, ...] = ()) -> FusionConfig:
    """Return the configuration of one of the user's presets: its settings over those of the one that it extends."""
    if name not in tables:
        raise _unknown_preset(name, (*built_in_names(), *tables))
    file, table = tables[name]
    settings = {key: value for key, value in table.items() if key not in ("extends", "about")}
    extended = _extended(name, tables, (*extending, name)) if "extends" in table else None
    try:
        return FusionConfig(**settings) if extended is None else merge_settings(extended, settings, preset_roles=ROLES)
    except ConfigError as error:
        place = f"presets.{name}" + (f".{error.field}" if error.field else "")
        raise file.locate(ConfigError(error.message, field=place)) from None


def _extended(name: str, tables: _OwnTables, extending: tuple[str, ...]) -> FusionConfig:
    """Return the configuration that the user's preset `name` extends; `extending` are those that led here, and it."""
    file, table = tables[name]
    base = table["extends"]
    if not isinstance(base, str):
        wrong = ConfigError("expected a preset's name")
    elif base in extending:
        wrong = ConfigError(f"goes in a circle: {' extends '.join((*extending, base))}")
    elif base in tables:
        return _own(base, tables, extending)
    elif not _is_built_in(base):
        wrong = _unknown_preset(base, (*built_in_names(), *tables))
    else:
        try:
            return _built_in(base)
        except ConfigError as error:
            wrong = error
    raise file.locate(ConfigError(wrong.message, field=f"presets.{name}.extends"))


def _unknown_preset(name: str, names: Collection[str]) -> ConfigError:
    return ConfigError(
        f"no preset '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}; a file's name ends in .toml",
        field="preset",
    )


def _own_tables(file: ConfigFile | None = None) -> _OwnTables:
    tables = {}
    for holder in filter(None, (user_file(), file)):
        for name, table in holder.presets.items():
            # Everybody who names one of ours means ours.
            if _is_built_in(name):
                raise holder.locate(ConfigError("is built in; choose another name", field=f"presets.{name}"))
            tables[name] = holder, table
    return tables


def _shipped(name: str) -> FusionConfig:
    return FusionConfig.model_validate(_tables()[name]["config"])


def preset_names(file: ConfigFile | None = None) -> tuple[str, ...]:
    """Return the presets' names, in the order of the documentation; last those of the user's file, and of `file`.

    Raises:
        ConfigError: The user's file cannot be read.
    """
    return (*built_in_names(), *_own_tables(file))


def built_in_names() -> tuple[str, ...]:
    """Return the names of the presets that the package brings."""
    return (*_tables(), OLLAMA)


def preset_description(name: str, file: ConfigFile | None = None) -> str:
    """Return one line on what the preset is for; of one that a configuration file makes, what that says."""
    if name == OLLAMA:
        return "up to three installed models, of different families, of a running Ollama"
    if name in _tables():
        table = _tables()[name]
        return f"{table['about']} ({table['kind']}, {table['dated']})" if "kind" in table else str(table["about"])
    _, table = _own_tables(file)[name]
    base = f", over {table['extends']}" if "extends" in table else ""
    return str(table.get("about", f"your own{base}"))


def with_models_of(name: str, config: FusionConfig) -> FusionConfig:
    """Return `config` with the models and the tool calls of the preset `name`, all else as it is."""
    shipped = _shipped(name)
    return config.model_copy(update={key: getattr(shipped, key) for key in ("panel", *ROLES, "max_tool_calls")})


def counterpart_of(config: FusionConfig) -> str | None:
    """Return the preset of the other kind, current or as published, for the purpose of the one that `config` is of.

    Returns:
        `None` where the models are no shipped preset's, or that has no counterpart.
    """
    name = shipped_preset_of(config)
    return None if name is None else _tables()[name].get("counterpart")


def shipped_preset_of(config: FusionConfig) -> str | None:
    """Return the preset whose models those of `config` are, all of them and as it ships them; `None` for no preset."""
    roles = (config.panel, config.judge, config.synthesizer)
    shipped = zip(_tables(), shipped_configs(), strict=True)
    return next((name for name, one in shipped if (one.panel, one.judge, one.synthesizer) == roles), None)


@cache
def shipped_configs() -> tuple[FusionConfig, ...]:
    """Return the configurations of the presets that are data."""
    return tuple(_shipped(name) for name in _tables())


@cache
def shipped_roles() -> frozenset[Panelist]:
    """Return every seat, judge and synthesizer of the presets that are data: models that no user chose one by one."""
    roles = (role for config in shipped_configs() for role in (*config.panel, config.judge, config.synthesizer))
    return frozenset(role for role in roles if role is not None)


@cache
def _tables() -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    # The order in which presets are listed, with what needs no key last.
    for file in ("openrouter.toml", "local.toml"):
        tables |= tomllib.loads((files(__name__) / file).read_text("utf-8"))
    return tables
