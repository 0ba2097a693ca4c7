"""`FusionTool`: a panel as a LangChain tool."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Annotated, Any, Literal, Unpack

from langchain.tools import ToolRuntime
from langchain_core.callbacks import Callbacks
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, create_schema_from_function
from langgraph.config import get_stream_writer
from langgraph.types import StreamWriter
from pydantic import BeforeValidator, PrivateAttr, ValidationError

from fusion_tool.api.panel_runner import PanelRunner
from fusion_tool.api.recent_results import RecentResults
from fusion_tool.api.run_store import StorePlace
from fusion_tool.api.summary import summarize
from fusion_tool.api.sync import run_sync
from fusion_tool.budget.session import SessionSpent
from fusion_tool.config.base import argument_error
from fusion_tool.config.loading import ConfigLike, resolve_config
from fusion_tool.config.schema import FusionConfig, Limits
from fusion_tool.config.settings import SessionLimits, Settings
from fusion_tool.errors import FusionError
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.result import FusionResult
from fusion_tool.routing.decide import warn_of_roles

_log = logging.getLogger(__name__)


def parent_stream_writer(runtime: ToolRuntime | None) -> StreamWriter | None:
    """Return the writer into the custom stream of the run that calls a tool; `None` where nobody reads it.

    Args:
        runtime: The tool's runtime, where a ToolNode calls it; `None` where a node of a graph calls it, whose writer
            then serves.
    """
    writer = runtime.stream_writer if runtime is not None else _nodes_writer()
    return None if writer is None or _does_nothing(writer) else writer


def _nodes_writer() -> StreamWriter | None:
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):  # no runnable at work, or none that is a graph's
        return None


def _does_nothing(writer: Callable[[Any], Any]) -> bool:
    """Tell whether `writer` is an empty function, which LangGraph gives where nobody reads the custom stream.

    LangGraph tells it in no other way. An empty writer that is not recognised costs a little time, and loses nothing.
    """
    # By its bytecode: LangGraph makes the function anew for each run, so that there is no object to compare with.
    code = getattr(writer, "__code__", None)
    return code is not None and code.co_code == _nothing.__code__.co_code


def _nothing(_: Any) -> None:
    pass


def _results_in(runtime: ToolRuntime | None) -> dict[str, Any] | None:
    """Return the results that the calling conversation holds, by their ids; `None` where no conversation calls.

    They outlive the process where the conversation does: its checkpointer stores the messages' artifacts.
    """
    if runtime is None:
        return None
    # A graph's state may be a dict, an object of a dataclass or of pydantic's, or the messages alone.
    state: Any = runtime.state
    messages = state.get("messages") if isinstance(state, dict) else getattr(state, "messages", state)
    if not isinstance(messages, list):
        return {}  # under a name that is not known here: still a conversation, and not told of another's answers
    artifacts = [message.artifact for message in messages if isinstance(message, ToolMessage)]
    # Of any panel in the conversation: from what a quick one found a thorough one may go on.
    results = (row for row in artifacts if isinstance(row, dict) and "schema_version" in row)
    # Other tools have artifacts, too, whose ids may be numbers or lists.
    return {result["run_id"]: result for result in results if isinstance(result.get("run_id"), str)}


_DESCRIPTION = (
    "Research a question in depth: a panel of independent models searches the web, reads pages and compares "
    "findings; returns one short answer with checked citations and the points that stay disputed. Use it for "
    "deep-dives where being wrong is costly: comparisons, fact-finding over several sources, contested or current "
    "topics, design decisions that need evidence. It takes from ten seconds to some minutes and costs several model "
    "calls. Do not use it for small talk, quick lookups, editing files, running a task step by step, or anything "
    "answerable from the conversation."
)


_SCHEMA = "fusion_research"


def _empty_for_null(value: Any) -> Any:
    return "" if value is None else value  # models send null for what they leave out


_Optional = BeforeValidator(_empty_for_null)

Question = Annotated[str, "One self-contained question: name what, which, when; the panel sees nothing else."]
Context = Annotated[str, "What is already known and should not be searched again; may be empty.", _Optional]
Continues = Annotated[
    str,
    "The id in the closing line of an earlier answer of this tool, to ask on from it: the panel starts from that "
    "answer, its sources and its disputes, and looks up only what is new or open. Empty for a new matter.",
    _Optional,
]
Instructions = Annotated[
    str,
    "How the answer shall be written: language, tone, length, format; may be empty. It changes no finding.",
    _Optional,
]


class ToolSettings(Settings, total=False):
    """What a `FusionTool` may be set to, for type checkers: a run's settings, and LangChain's own of a tool."""

    name: str
    description: str
    args_schema: Any
    return_direct: bool
    verbose: bool
    callbacks: Callbacks
    tags: list[str] | None
    metadata: dict[str, Any] | None
    handle_tool_error: Any
    handle_validation_error: Any
    response_format: Literal["content", "content_and_artifact"]
    extras: dict[str, Any] | None


class FusionTool(BaseTool):
    """The tool `fusion_research`.

    Args:
        config: A preset's name, a `FusionConfig`, or the path of a TOML file. `None`: the user's own file, else the
            preset `budget`, where `OPENROUTER_API_KEY` or a vendor's key is set.
        panel_tools: LangChain tools that every seat gets besides its own.
        session_limits: `Limits(usd=..., tokens=..., seconds=...)` of all calls of this object together, beside each
            call's own `limits`; `seconds` is time at work, summed.
        session: A name under which other objects, in other processes too, share `session_limits`: each call reserves
            its own `limits` before it begins, or without them all that is left, and waits for others to end, at most
            as long as it may work itself. `None` keeps the limits this object's own.
        keep: Keep every run, as `fuse` does: `True`, a path, or a database's address; `fuse(resume=RUN_ID)` finishes
            one that broke off, and `False` keeps none.
        overrides: Fields of `FusionConfig` that replace the configuration's; nested ones merge, and may be dicts.
            `preset` names the preset that a file's settings override.

    Called with a ToolCall it returns a `ToolMessage`: the answer within `summary_tokens`, and the whole
    `FusionResult` as a dict in `artifact`; a failed run has `status="error"` and says what to change. Called with
    plain arguments it returns the text, and a failed run raises.

    A call whose `continues` is the id of an earlier answer goes on from it; the last twenty are remembered, and those
    that the calling conversation holds as artifacts. With `keep` any run that is kept there will do.

    A call for which `session_limits` leave too little to begin fails with `BudgetExceeded`; one that reaches them on
    its way degrades.

    The run is part of the calling agent's: its callbacks, tags and metadata are those of the call, cancelling the agent
    cancels it, and its events stand in the agent's custom stream (`stream_mode="custom"`), told apart by `run_id`.

    Raises:
        ConfigError: The configuration is wrong, or there is none and no key either.
    """

    name: str = _SCHEMA
    description: str = _DESCRIPTION
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"

    _panel: PanelRunner = PrivateAttr()
    _recent: RecentResults = PrivateAttr(default_factory=RecentResults)

    def __init__(
        self,
        config: ConfigLike = None,
        *,
        panel_tools: Sequence[Any] = (),
        session_limits: Limits | SessionLimits | None = None,
        session: str | None = None,
        keep: StorePlace | bool = False,
        **overrides: Unpack[ToolSettings],
    ) -> None:
        settings: dict[str, Any] = {**overrides}
        # LangChain's own fields, such as `name` and `description`; what is left is the configuration's to check.
        tool_fields = {name: settings.pop(name) for name in list(settings) if name in BaseTool.model_fields}
        # LangChain checks arguments against a schema that is named alone: one that a model misspelled must be an error
        # that the model reads, not one that ends its agent.
        schema = create_schema_from_function(_SCHEMA, type(self)._run)  # noqa: SLF001 - the tool's own
        super().__init__(**({"args_schema": schema} | tool_fields))
        self._panel = PanelRunner(resolve_config(config, **settings), panel_tools, session_limits, session, keep)
        # Once, and not with every answer: it is the configuration's, and for whoever wrote that.
        if warning := warn_of_roles(self.config):
            _log.warning(warning)

    @property
    def config(self) -> FusionConfig:
        """The configuration that every call runs with."""
        return self._panel.config

    @property
    def spent(self) -> SessionSpent:
        """What all calls of this object so far took, unfinished ones included: `usd`, `tokens`, `seconds`."""
        return self._panel.session.spent

    async def _arun(
        self,
        question: Question,
        context: Context = "",
        continues: Continues = "",
        instructions: Instructions = "",
        runtime: ToolRuntime[Any, Any] = None,  # type: ignore[assignment] # an Optional would never be injected
    ) -> tuple[str, dict[str, Any]]:
        """Ask the panel."""
        tell = parent_stream_writer(runtime)
        earlier = await self._find_earlier(continues.strip(), _results_in(runtime)) if continues.strip() else None
        request = RunInput(question, context, instructions, earlier=earlier)
        result: dict[str, Any] = {}
        async with aclosing(self._panel.stream(request, is_watched=tell is not None)) as events:
            async for event in events:
                if tell:
                    tell(event)
                if event["type"] == "run.completed":
                    result = event["result"]
        self._recent.add(result)
        return summarize(FusionResult.model_validate(result), self.config.summary_tokens), result

    async def _find_earlier(self, run_id: str, conversation: Mapping[str, Any] | None) -> FusionResult:
        is_known = run_id in self._recent or run_id in (conversation or {})
        if not is_known and (kept := await self._panel.kept_result(run_id)) is not None:
            self._recent.add(kept)
        return self._recent.find(run_id, conversation)

    def _run(
        self,
        question: Question,
        context: Context = "",
        continues: Continues = "",
        instructions: Instructions = "",
        runtime: ToolRuntime[Any, Any] = None,  # type: ignore[assignment] # as above
    ) -> tuple[str, dict[str, Any]]:
        """Ask the panel."""
        return run_sync(self._arun(question, context, continues, instructions, runtime=runtime))

    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        """Call the tool as LangChain does; a failed ToolCall becomes a message with `status="error"`."""
        # Not by `handle_tool_error`, which sees only `ToolException`: direct callers are to get the typed error.
        try:
            return await super().ainvoke(input, config, **kwargs)
        except (FusionError, ValidationError) as error:
            return self._error_message(input, error)

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:  # noqa: A002 - LangChain's name
        """Call the tool as `ainvoke` does, synchronously."""
        try:
            return super().invoke(input, config, **kwargs)
        except (FusionError, ValidationError) as error:
            return self._error_message(input, error)

    def _error_message(self, call: Any, error: FusionError | ValidationError) -> ToolMessage:
        if isinstance(error, ValidationError):
            if error.title != _SCHEMA:  # not of the arguments
                raise error
            error = argument_error(error, self.args)
        if not (isinstance(call, dict) and call.get("type") == "tool_call"):
            raise error from None
        return ToolMessage(f"{type(error).__name__}: {error}", tool_call_id=call["id"], name=self.name, status="error")
