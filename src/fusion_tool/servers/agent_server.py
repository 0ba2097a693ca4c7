"""The context that a graph takes on Agent Server: a client's wishes, out of which comes a configuration.

Studio draws its form of them, so that it offers nothing that is refused.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema

from fusion_tool.config.choices import Strategy
from fusion_tool.config.loading import load_config_file, resolve_config
from fusion_tool.config.presets import OLLAMA, preset, preset_names
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.errors import ConfigError
from fusion_tool.servers.overrides import OPERATOR_ONLY, apply_overrides

OFFERED = tuple(name for name in preset_names() if name != OLLAMA)
"""The presets that are data: a client may choose them without anything being read or asked for."""


def _meaning(owner: type[BaseModel], name: str) -> Any:
    """Return a field that may be left out, with the text of the setting that it overrides."""
    return Field(default=None, description=owner.model_fields[name].description)


class WishedLimits(BaseModel):
    """Limits within the operator's; left out, they are the operator's."""

    usd: float | None = _meaning(Limits, "usd")
    tokens: int | None = _meaning(Limits, "tokens")
    seconds: float | None = _meaning(Limits, "seconds")
    seat_seconds: float | None = _meaning(Limits, "seat_seconds")
    quorum: int | None = _meaning(Limits, "quorum")
    grace_seconds: float | None = _meaning(Limits, "grace_seconds")
    min_answers: int | None = _meaning(Limits, "min_answers")


class Wishes(BaseModel):
    """What a client may set of a run; left out, it is as the operator set it up."""

    models: list[str] | None = Field(
        default=None, description="The panel: which of the configured models, by name; one may sit twice."
    )
    judge: str | None = Field(default=None, description="Which of them compares the answers.")
    synthesizer: str | None = Field(default=None, description="Which of them writes the answer.")
    strategy: Strategy | None = _meaning(FusionConfig, "strategy")
    limits: WishedLimits | None = None
    max_tool_calls: int | None = _meaning(FusionConfig, "max_tool_calls")
    follow_up: bool | None = _meaning(FusionConfig, "follow_up")
    excluded_domains: list[str] | None = Field(default=None, description="Further sites that may not be touched.")
    quality: float | None = _meaning(FusionConfig, "quality")


def load_operator_config(file: Path) -> FusionConfig | None:
    """The operator's configuration, where there is a file.

    Raises:
        ConfigError: It is wrong.
    """
    return load_config_file(file) if file.exists() else None


def context_schema(operator: FusionConfig | None, presets: Collection[str] = OFFERED) -> Any:
    """A graph's `context_schema` on Agent Server.

    Args:
        operator: What holds whatever is asked. `None`: the preset that is asked for, else the default one, where its
            key is set.
        presets: Which presets a client may choose.

    Returns:
        A class: the schema of a client's wishes. Called with them it returns a `FusionConfig`, or raises `ConfigError`.
    """

    class Context(Wishes, title="FusionConfig"):
        preset: Annotated[str | None, WithJsonSchema({"anyOf": [{"enum": [*presets]}, {"type": "null"}]})] = Field(
            default=None, description="The models of a preset instead of the configured ones."
        )

        def __new__(cls, **asked: Any) -> FusionConfig:  # type: ignore[misc]
            """What the run is configured with."""
            return _configuration(operator, asked, presets)

    Context.__doc__ = Wishes.__doc__
    return Context


def reject_operator_settings(context: Mapping[str, Any]) -> None:
    """Refuse a context that sets what is the operator's: Agent Server itself would pass over it in silence.

    Raises:
        ConfigError: It does; `field` names the setting.
    """
    for name in context:
        if name in OPERATOR_ONLY:
            raise ConfigError("only the operator of this server may set it", field=name)


def _configuration(
    operator: FusionConfig | None, overrides: Mapping[str, Any], presets: Collection[str]
) -> FusionConfig:
    wished = overrides.get("preset")
    base = operator or (preset(str(wished)) if wished in presets else resolve_config())
    return apply_overrides(base, overrides, presets=presets)
