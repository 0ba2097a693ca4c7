"""Presets: whole configurations by name, kept as data in this folder's TOML files."""

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError

OLLAMA = "ollama"
"""The one preset that is not data: it takes what a running Ollama offers."""
LOCAL = "local"
"""The preset whose models are the best installed one."""
LOCAL_MODEL = f"{LOCAL}:"
"""The beginning of a preset's name that names its local model, and of that model's name."""


def preset(name: str) -> FusionConfig:
    """Return the configuration of the preset `name`.

    Args:
        name: One of `preset_names()`, or `local:NAME` for a panel of that local model.

    Raises:
        ConfigError: No preset has this name, or it is `ollama` and no Ollama answers.
    """
    if name == OLLAMA:
        # The one import that points upwards, and a request to a server: nobody else should pay for it.
        from fusion_tool.models.ollama import installed_panel

        return installed_panel()
    family, _, model = name.partition(":")
    if family == LOCAL:
        # Upwards as well, and a look at the disk.
        from fusion_tool.models.local.catalog import panel_of

        return panel_of(model or None, _shipped(LOCAL))
    if name not in _tables():
        raise unknown_preset(name)
    return _shipped(name)


def unknown_preset(name: str) -> ConfigError:
    """Return the error for a name that no preset has."""
    names = preset_names()
    return ConfigError(f"no preset '{name}'{did_you_mean(name, names)}; there are {', '.join(names)}", field="preset")


def _shipped(name: str) -> FusionConfig:
    return FusionConfig.model_validate(_tables()[name]["config"])


def preset_names() -> tuple[str, ...]:
    """Return the presets' names, in the order of the documentation."""
    return (*_tables(), OLLAMA)


def preset_description(name: str) -> str:
    """Return one line on what the preset is for."""
    if name == OLLAMA:
        return "up to three installed models, of different families, of a running Ollama"
    return str(_tables()[name]["about"])


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
