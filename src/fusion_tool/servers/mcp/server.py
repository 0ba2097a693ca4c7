"""The MCP server, independent of its transport and of the major of the official package.

The protocol is the package's, by its low-level `Server`: `FastMCP` has a fixed list of resources, and its errors have
several lines.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp import types

from fusion_tool.api.summary import summarize
from fusion_tool.config.installation import version
from fusion_tool.config.schema import FusionConfig
from fusion_tool.errors import ConfigError, FusionError
from fusion_tool.graph.inputs import RunInput, parse_result
from fusion_tool.graph.result import FusionResult
from fusion_tool.servers.capacity import RunSlots
from fusion_tool.servers.keys import ANONYMOUS, Caller
from fusion_tool.servers.mcp.resources import TEMPLATE, ResultResources, SessionResults
from fusion_tool.servers.mcp.runs import CallRun, CallRuns
from fusion_tool.servers.mcp.sdk import ClientRequest, create_sdk_server
from fusion_tool.servers.mcp.tool import (
    NAME,
    ResearchArguments,
    at_work,
    parse_arguments,
    refuse_recursion,
    to_callers_words,
    tool_definition,
)
from fusion_tool.servers.openai.errors import to_api_error

_INSTRUCTIONS = (
    "fusion_research hands a question over to a panel of models that search, read and compare, and gives back one "
    "answer with checked citations. Whole results stay readable at fusion://results for this session."
)


@dataclass(frozen=True)
class McpOptions:
    """The options of an MCP server.

    Args:
        config: The panel; its rules hold for every call.
        max_runs: Calls that are worked on at once; more get an error.
        is_structured: Whether a result comes as JSON beside the text.
        answer_within: Seconds after which a call whose run goes on gives its id, by which a later call gets the answer;
            runs are then kept in the user's data folder. `None`: a call takes as long as its run.
        origins: Over HTTP: origins of the pages that may ask from a browser; none unless they are named.
        keep: Keep every run, and finish after a restart what was not finished before it.
    """

    config: FusionConfig
    max_runs: int = 10
    is_structured: bool = True
    answer_within: float | None = None
    origins: tuple[str, ...] = ()
    keep: bool = False


class McpServer:
    """The server: its handlers, and what it remembers between requests.

    Args:
        options: The server's options.
        caller: Who is served, and nobody else.
        slots: Places for runs, which the callers of one process share; `None` makes them.
        terms: The terms by which the server promises to finish the runs; `None` where it does not.
    """

    def __init__(
        self,
        options: McpOptions,
        caller: Caller = ANONYMOUS,
        slots: RunSlots | None = None,
        terms: str | None = None,
    ) -> None:
        self._options, self._caller = options, caller
        self._operator = operator = caller.narrow(options.config)
        self._results = SessionResults()
        self.runs = CallRuns(caller, operator, slots or RunSlots(options.max_runs), options.answer_within, terms)
        self.open_calls = set[str | int]()
        """The ids of the requests whose calls have not ended."""
        handlers = {
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
            "resources/list": self._list_resources,
            "resources/templates/list": self._list_templates,
            "resources/read": self._read_resource,
        }
        self.sdk_server = create_sdk_server("fusion-tool", _INSTRUCTIONS, version(), handlers)

    async def _list_tools(self, _request: ClientRequest, _params: Any) -> types.ListToolsResult:
        tool = tool_definition(is_structured=self._options.is_structured, takes_run_id=self._gives_run_ids)
        return types.ListToolsResult(tools=[tool])

    async def _call_tool(self, request: ClientRequest, params: Any) -> types.CallToolResult:
        self.open_calls.add(request.id)
        try:
            text, structured = await self._answer(request, params.name, params.arguments or {})
        except Exception as error:  # noqa: BLE001 - whatever it is, the client is told in one line
            # As a result: a model reads that, and no protocol error.
            return _tool_result(to_callers_words(to_api_error(error, self._caller.name).message), None, is_error=True)
        finally:
            self.open_calls.discard(request.id)
        return _tool_result(text, structured if self._options.is_structured else None)

    async def _answer(
        self, request: ClientRequest, name: str, arguments: Mapping[str, Any]
    ) -> tuple[str, dict[str, Any]]:
        if name != NAME:
            raise FusionError(f"no tool '{name}'; there is {NAME}")
        refuse_recursion(request.meta)
        run = await self._run_for(request, parse_arguments(arguments, takes_run_id=self._gives_run_ids))
        result = await self.runs.result(run, request.send_progress)
        if result is None:
            return at_work(run.id, run.progress.awaited)
        self._results_of(request).add(result)
        return summarize(FusionResult.model_validate(result), self._options.config.summary_tokens), result

    async def _run_for(self, request: ClientRequest, arguments: ResearchArguments) -> CallRun:
        if arguments.run_id:
            return self.runs.find(arguments.run_id.strip())
        config = arguments.config_for(self._operator)
        continues = arguments.continues.strip()
        earlier = parse_result(await self._earlier_result(request, continues)) if continues else None
        question = RunInput(arguments.question, arguments.context, arguments.instructions, earlier=earlier)
        return self.runs.begin(question, config, is_watched=request.send_progress is not None)

    async def _earlier_result(self, request: ClientRequest, run_id: str) -> dict[str, Any]:
        """Return what a call goes on from: a result of this session, or a run that is kept."""
        results = self._results_of(request)
        if (result := results.get(run_id)) is not None:
            return result
        if not (self._gives_run_ids or self._options.keep):
            known = ", ".join(results.run_ids)
            cure = f"take one of {known}, or leave it out" if known else "there is none yet: leave it out"
            raise ConfigError(
                f"no earlier answer of this session has the id {run_id[:80]!r}; {cure}", field="continues"
            )
        try:
            result = await self.runs.result(self.runs.find(run_id), None)
        except ConfigError as error:
            raise ConfigError(error.message, field="continues") from None
        if result is None:
            raise ConfigError("that call is still at work; ask for its answer first", field="continues")
        return result

    @property
    def _gives_run_ids(self) -> bool:
        return self._options.answer_within is not None

    async def _list_resources(self, request: ClientRequest, _params: Any) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=self._results_of(request).list_resources())

    async def _list_templates(self, _request: ClientRequest, _params: Any) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resourceTemplates=[TEMPLATE])

    async def _read_resource(self, request: ClientRequest, params: Any) -> types.ReadResourceResult:
        return self._results_of(request).read(str(params.uri))

    def _results_of(self, request: ClientRequest) -> ResultResources:
        return self._results.of(request.session_id or "")


def _tool_result(text: str, structured: dict[str, Any] | None, *, is_error: bool = False) -> types.CallToolResult:
    content: list[Any] = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=content, structuredContent=structured, isError=is_error)
