"""The MCP tool `fusion_research`: what a client sees of it, and what it may ask.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/server/tools.
"""

from collections.abc import Mapping
from typing import Any, Literal

from mcp import types
from pydantic import Field

from fusion_tool.config import FusionConfig, Positive
from fusion_tool.errors import ConfigError
from fusion_tool.result import FusionResult
from fusion_tool.servers.asked import OPERATORS, settings_for
from fusion_tool.tool import FusionTool
from fusion_tool.validation import Settings

NAME = "fusion_research"


class Question(Settings):
    """A call's arguments: few, since every client's model reads them all."""

    question: str = Field(
        description="One self-contained question: name what, which, when; the panel sees nothing else."
    )
    context: str = Field(
        default="", description="What is already known and should not be searched again; may be empty."
    )
    strategy: Literal["panel", "solo", "cascade", "chain", "auto"] | None = Field(
        default=None,
        description="How the panel works: every model at once (panel), one alone (solo, cheapest), more of them only "
        "where two disagree (cascade) or until one is good enough (chain), or as the question needs (auto). "
        "Left out: as the server is set up.",
    )
    max_usd: Positive | None = Field(default=None, description="US dollars that this call may cost at most.")
    max_seconds: Positive | None = Field(default=None, description="Seconds that it may take at most.")
    excluded_domains: tuple[str, ...] = Field(
        default=(), description="Sites that are not to be searched or read, such as example.org."
    )

    def settings(self, operator: FusionConfig) -> FusionConfig:
        """The run's configuration.

        Raises:
            ConfigError: More is asked than `operator` allows.
        """
        limits = {"usd": self.max_usd, "seconds": self.max_seconds}
        asked = {"strategy": self.strategy, "limits": limits, "excluded_domains": self.excluded_domains}
        try:
            return settings_for(operator, asked)
        except ConfigError as error:
            names = {"limits.usd": "max_usd", "limits.seconds": "max_seconds"}
            raise ConfigError(error.message, field=names.get(error.field or "", error.field)) from None


def read(arguments: Mapping[str, Any]) -> Question:
    """A call's arguments; `null` is none.

    Raises:
        ConfigError: One is wrong, unknown, or the operator's alone; `field` names it.
    """
    for name in arguments:
        if name in OPERATORS - Question.model_fields.keys():
            raise ConfigError("only the operator of this server may set it", field=name)
        if name not in Question.model_fields:
            raise ConfigError(f"no such argument; there are {', '.join(Question.model_fields)}", field=name)
    return Question(**{name: value for name, value in arguments.items() if value is not None})


def tool(*, is_structured: bool) -> types.Tool:
    """What `tools/list` says of it.

    Args:
        is_structured: Whether a result comes as JSON too, whose schema is then part of it.
    """
    given = Question.model_json_schema()
    del given["description"]
    return types.Tool(
        name=NAME,
        title="Research by a panel of models",
        description=FusionTool.model_fields["description"].default,
        inputSchema=given,
        outputSchema=FusionResult.model_json_schema(mode="serialization") if is_structured else None,
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=True),
    )
