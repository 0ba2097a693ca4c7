"""The tool `fusion_research`: its schema, its arguments, and one call of it.

Protocol: https://modelcontextprotocol.io/specification/2025-11-25/server/tools.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, TypeAlias, TypeVar

import anyio
from mcp import types
from pydantic import Field

from fusion_tool.api.runner import run_request
from fusion_tool.api.tool import FusionTool
from fusion_tool.config.base import ConfigModel
from fusion_tool.config.choices import Strategy
from fusion_tool.config.schema import FusionConfig, Positive
from fusion_tool.errors import ConfigError, RecursionRefused
from fusion_tool.events import Event, describe, signed_by
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.result import FusionResult
from fusion_tool.servers.overrides import OPERATOR_ONLY, LimitOverrides, RunOverrides, apply_overrides

NAME = "fusion_research"


class ResearchArguments(ConfigModel):
    """The arguments of a call: few, since every client's model reads them all."""

    question: str = Field(
        description="One self-contained question: name what, which, when; the panel sees nothing else."
    )
    context: str = Field(
        default="", description="What is already known and should not be searched again; may be empty."
    )
    strategy: Strategy | None = Field(
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

    def config_for(self, operator: FusionConfig) -> FusionConfig:
        """Return the run's configuration.

        Args:
            operator: The operator's configuration.

        Raises:
            ConfigError: More is asked for than `operator` allows; `field` names the argument.
        """
        limits = LimitOverrides(usd=self.max_usd, seconds=self.max_seconds)
        excluded = list(self.excluded_domains)
        overrides = RunOverrides(strategy=self.strategy, limits=limits, excluded_domains=excluded)
        try:
            return apply_overrides(operator, overrides)
        except ConfigError as error:
            names = {"limits.usd": "max_usd", "limits.seconds": "max_seconds"}
            raise ConfigError(error.message, field=names.get(error.field or "", error.field)) from None


def parse_arguments(arguments: Mapping[str, Any]) -> ResearchArguments:
    """Return a call's arguments; one that is `null` counts as left out.

    Raises:
        ConfigError: An argument is wrong, unknown, or the operator's alone; `field` names it.
    """
    # Before pydantic, whose complaint would not tell a typo from what is the operator's.
    for name in arguments:
        if name in OPERATOR_ONLY - ResearchArguments.model_fields.keys():
            raise ConfigError("only the operator of this server may set it", field=name)
        if name not in ResearchArguments.model_fields:
            raise ConfigError(f"no such argument; there are {', '.join(ResearchArguments.model_fields)}", field=name)
    # Models write `null` for an argument that they leave out.
    return ResearchArguments(**{name: value for name, value in arguments.items() if value is not None})


def tool_definition(*, is_structured: bool) -> types.Tool:
    """Return the tool as `tools/list` describes it.

    Args:
        is_structured: Whether a result comes as JSON too, whose schema is then part of the description.
    """
    schema = ResearchArguments.model_json_schema()
    del schema["description"]  # the class's docstring, which is for programmers
    return types.Tool(
        name=NAME,
        title="Research by a panel of models",
        description=FusionTool.model_fields["description"].default,
        inputSchema=schema,
        outputSchema=FusionResult.model_json_schema(mode="serialization") if is_structured else None,
        annotations=types.ToolAnnotations(readOnlyHint=True, openWorldHint=True),
    )


DEPTH = "fusion/depth"
"""The key of a request's `_meta` by which it says how many fusions it comes out of."""

SendProgress: TypeAlias = Callable[[float, str], Awaitable[None]]
"""A function that sends how far a run is: the number of the step, which grows, and a line about it."""

T = TypeVar("T")


def refuse_recursion(meta: dict[str, Any]) -> None:
    """Refuse a request that a seat of another run sends.

    Args:
        meta: The request's `_meta`.

    Raises:
        RecursionRefused: It comes out of a fusion.
    """
    # Whatever else stands there counts as a depth: guessing wrongly would let panels call panels, at any cost.
    if meta.get(DEPTH, 0) not in (0, "0"):
        raise RecursionRefused("a fusion was started by a panelist of another fusion; give that seat another tool")


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns, from a task of its own; a cancelled caller cancels it once, and waits for its end.

    The package's cancel scopes cancel at every `await` until they are left, which would break the cleanup of `work`.
    """
    # A task has a cancel state of its own, which the scope around the caller does not reach.
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
        raise


async def run_research(
    arguments: ResearchArguments, config: FusionConfig, send_progress: SendProgress | None
) -> dict[str, Any]:
    """Carry out a call, and return the run's result as a dict.

    Args:
        arguments: The call's arguments.
        config: The run's configuration.
        send_progress: Sends the progress to the client; `None` where it asked for none.

    Raises:
        FusionError: As `afuse`.
    """
    steps, attempt = 0, 0

    async def pass_on(event: Event) -> None:
        nonlocal steps, attempt
        line = describe(event)
        # Once a writer: the protocol carries lines of progress, and no pieces of a result.
        if event["type"] == "synthesis.delta" and event["attempt"] != attempt:
            line, attempt = (
                f"the answer is being written{' anew' if attempt else ''}{signed_by(event)}",
                event["attempt"],
            )
        if line is not None and send_progress is not None:
            steps += 1
            await send_progress(steps, line)

    return await run_request(
        RunInput(arguments.question, arguments.context), config, pass_on if send_progress else None
    )
