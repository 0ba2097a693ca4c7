"""The tool `fusion_research`: its schema, its arguments, and what a call gives whose run goes on.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/server/tools.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args

from mcp import types
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from fusion_tool.api.tool import Context, Continues, FusionTool, Instructions, Question
from fusion_tool.config.base import ConfigModel, Positive
from fusion_tool.config.choices import Strategy
from fusion_tool.config.schema import FusionConfig
from fusion_tool.config.words import did_you_mean
from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.graph.result import FusionResult
from fusion_tool.servers.overrides import OPERATOR_ONLY, LimitOverrides, RunOverrides, apply_overrides

NAME = "fusion_research"


def _text(argument: Any) -> Any:
    """Return a field that may be left out, described as the argument of `FusionTool`."""
    return Field(default="", description=get_args(argument)[1])


class ResearchArguments(ConfigModel):
    """The arguments of a call: few, since every client's model reads them all."""

    question: str = _text(Question)
    context: str = _text(Context)
    continues: str = _text(Continues)
    instructions: str = _text(Instructions)
    strategy: Strategy | SkipJsonSchema[None] = Field(
        default=None,
        description="How the panel works: every model at once (panel), one alone (solo, cheapest), more of them only "
        "where two disagree (cascade) or until one is good enough (chain), or as the question needs (auto). "
        "Left out: as the server is set up.",
    )
    max_usd: Positive | SkipJsonSchema[None] = Field(
        default=None, description="US dollars that this call may cost at most."
    )
    max_seconds: Positive | SkipJsonSchema[None] = Field(default=None, description="Seconds that it may take at most.")
    excluded_domains: tuple[str, ...] = Field(
        default=(), description="Sites that are not to be searched or read, such as example.org."
    )
    run_id: str = Field(
        default="", description="Alone, instead of a question: the id of a call that is at work, to get its answer."
    )

    def config_for(self, operator: FusionConfig) -> FusionConfig:
        """Return the run's configuration.

        Args:
            operator: The operator's configuration.

        Raises:
            ConfigError: More is asked for than `operator` allows; `field` names the setting.
        """
        limits = LimitOverrides(usd=self.max_usd, seconds=self.max_seconds)
        excluded = list(self.excluded_domains)
        return apply_overrides(operator, RunOverrides(strategy=self.strategy, limits=limits, excluded_domains=excluded))


def parse_arguments(arguments: Mapping[str, Any], *, takes_run_id: bool) -> ResearchArguments:
    """Return a call's arguments; one that is `null` counts as left out.

    Args:
        arguments: As the client sends them.
        takes_run_id: Whether calls may ask for runs that are kept.

    Raises:
        ConfigError: An argument is missing, wrong, unknown, or the operator's alone; `field` names it.
    """
    fields = _input_schema(takes_run_id=takes_run_id)["properties"]
    # Before pydantic, whose complaint would not tell a typo from what is the operator's.
    for name in arguments:
        if name in OPERATOR_ONLY - fields.keys():
            raise ConfigError("only the operator of this server may set it", field=name)
        if name not in fields:
            raise ConfigError(
                f"no such argument{did_you_mean(name, fields)}; there are {', '.join(fields)}", field=name
            )
    # Models write `null` for an argument that they leave out.
    present = {name: value for name, value in arguments.items() if value is not None}
    try:
        parsed = ResearchArguments(**present)
    except ConfigError as error:
        name = (error.field or "").partition(".")[0]
        raise ConfigError(f"must be {_expected(fields[name])}", field=name) from None
    # Clients fill in what is optional with its default: that is left out, too.
    if parsed.run_id and parsed != ResearchArguments(run_id=parsed.run_id):
        raise ConfigError("goes alone: the run has its question and its limits", field="run_id")
    if "question" not in present and not parsed.run_id:
        raise ConfigError("is missing; say what to find out", field="question")
    return parsed


def _expected(field: Mapping[str, Any]) -> str:
    """Return what an argument must be, in words, from its schema."""
    if "enum" in field:
        return f"one of {', '.join(field['enum'])}"
    return {"number": "a number above 0", "array": "a list of texts"}.get(field["type"], "a text")


_CALLERS_WORDS = {
    "limits.usd": "max_usd",
    "limits.seconds": "max_seconds",
    "resume": "run_id",
}
"""By the field of a configuration, the argument of which it is made."""


def to_callers_words(message: str) -> str:
    """Return an error's text with the names of arguments in place of those of settings."""
    for field, argument in _CALLERS_WORDS.items():
        message = re.sub(rf"(?<![\w.]){re.escape(field)}(?=: | cannot)", argument, message)
    return message


@cache
def _input_schema(*, takes_run_id: bool) -> dict[str, Any]:
    schema = ResearchArguments.model_json_schema()
    del schema["description"]  # the class's docstring, which is for programmers
    for field in schema["properties"].values():
        # Plain types alone: some clients and models take no `anyOf`, and no `null` where a number is due.
        if field.get("default") in (None, ""):
            field.pop("default", None)
    if not takes_run_id:
        del schema["properties"]["run_id"]
        schema["required"] = ["question"]
    return schema


def tool_definition(*, is_structured: bool, takes_run_id: bool) -> types.Tool:
    """Return the tool as `tools/list` describes it.

    Args:
        is_structured: Whether a result comes as JSON too, whose schema is then part of the description.
        takes_run_id: Whether calls may ask for runs that are kept.
    """
    return types.Tool(
        name=NAME,
        title="Research by a panel of models",
        description=FusionTool.model_fields["description"].default,
        inputSchema=_input_schema(takes_run_id=takes_run_id),
        outputSchema=_output_schema(may_be_at_work=takes_run_id) if is_structured else None,
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=True),
    )


def _output_schema(*, may_be_at_work: bool) -> dict[str, Any]:
    whole = FusionResult.model_json_schema(mode="serialization")
    if not may_be_at_work:
        return whole
    # Clients hold every result that is no error against the schema, the one of a run at work too.
    texts = {name: {"type": "string"} for name in ("run_id", "awaited")}
    at_work = {"type": "object", "properties": {"status": {"const": AT_WORK}, **texts}, "required": ["status", *texts]}
    return {"type": "object", "$defs": whole.pop("$defs"), "anyOf": [whole, at_work]}


AT_WORK = "at_work"
"""The status of a call whose run goes on."""


def at_work(run_id: str, awaited: str) -> tuple[str, dict[str, Any]]:
    """Return what a call gives whose run goes on, as a text for the client's model and as JSON.

    Args:
        run_id: The id that gives the answer later.
        awaited: What the run waits for now.
    """
    text = (
        f"at work, id {run_id}: {awaited}. Call {NAME} again with run_id = '{run_id}' alone: it waits for the answer, "
        "and is not a new run."
    )
    return text, {"status": AT_WORK, "run_id": run_id, "awaited": awaited}


DEPTH = "fusion/depth"
"""The key of a request's `_meta` by which it says how many fusions it comes out of."""


def refuse_recursion(meta: Mapping[str, Any]) -> None:
    """Refuse a request that a seat of another run sends.

    Args:
        meta: The request's `_meta`.

    Raises:
        RecursionRefused: It comes out of a fusion.
    """
    # Whatever else stands there counts as a depth: guessing wrongly would let panels call panels, at any cost.
    if meta.get(DEPTH, 0) not in (0, "0"):
        raise RecursionRefused("a fusion was started by a panelist of another fusion; give that seat another tool")
