"""The context that a graph takes on Agent Server: `RunOverrides`, of which a configuration is made.

Studio makes its form of the same class, so that it offers nothing that is refused.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import WithJsonSchema

from fusion_tool.config.loading import load_config_file, resolve_config
from fusion_tool.config.presets import OLLAMA, preset, preset_names
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError
from fusion_tool.servers.overrides import OPERATOR_ONLY, RunOverrides, apply_overrides, parse_overrides

OFFERED = tuple(name for name in preset_names() if name != OLLAMA)
"""The presets that are data: a client may choose them without anything being read or asked for."""


def load_operator_config(file: Path) -> FusionConfig | None:
    """Return the operator's configuration; `None` where there is no file.

    Raises:
        ConfigError: The file cannot be read, or a setting in it is wrong.
    """
    return load_config_file(file) if file.exists() else None


def context_schema(operator: FusionConfig | None, presets: Collection[str] = OFFERED) -> Any:
    """Return a graph's `context_schema` on Agent Server.

    Args:
        operator: The configuration that bounds what a client may ask for; `None` uses the preset that the client
            names, else the default one, where its key is set.
        presets: The presets that a client may choose.

    Returns:
        A class with the schema of `RunOverrides`. Called with the fields it returns a `FusionConfig`, or raises
        `ConfigError`.
    """

    class Context(RunOverrides, title="FusionConfig"):
        preset: Annotated[str | None, WithJsonSchema({"anyOf": [{"enum": [*presets]}, {"type": "null"}]})] = None
        """The models of a preset instead of the configured ones."""

        # LangGraph calls the class with the client's fields: what it returns is the context of the run's nodes.
        def __new__(cls, **values: Any) -> FusionConfig:  # type: ignore[misc]
            """Return the configuration of the run."""
            overrides = parse_overrides(values)
            # Without an operator's file the chosen preset is the base, for which the default one's key is not needed.
            base = operator or (
                preset(overrides.preset) if overrides.preset and overrides.preset in presets else resolve_config()
            )
            return apply_overrides(base, overrides, presets=presets)

    # The docstring is the form's text, and a class does not inherit it.
    Context.__doc__ = RunOverrides.__doc__
    return Context


def reject_operator_settings(context: Mapping[str, Any]) -> None:
    """Refuse a context that sets what is the operator's: Agent Server itself would drop the setting in silence.

    Raises:
        ConfigError: It sets something that is the operator's; `field` names the setting.
    """
    for name in context:
        if name in OPERATOR_ONLY:
            raise ConfigError("only the operator of this server may set it", field=name)
