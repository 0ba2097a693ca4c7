"""A seat with tools: a loop of model and LangGraph's tool node, under a tool budget.

Each model call is measured, billed and hedged, the answer is asked for when the tool budget is spent, repeated calls
are answered from what is known, and a tool that fails tells the model, not the graph.

Not LangChain's `create_agent`: it wraps both hooks that this takes into spans of its own, which cost four changes of
thread a tool round, whether or not anybody traces (`benchmarks/tail.py --felt`).
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain.agents.middleware import ModelRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.runtime import Runtime

from fusion_tool.budget.amounts import EXTRA_TURNS
from fusion_tool.config.keys import scrub
from fusion_tool.config.schema import Panelist
from fusion_tool.errors import ToolReason
from fusion_tool.graph.agents.seat_call import call_with_tools
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.models.call import ModelCallError, ModelReply
from fusion_tool.models.clients import model_cache
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedging import hedged_call
from fusion_tool.models.wire.text_calls import looks_like_tool_call
from fusion_tool.models.written_calls import make_written_calls
from fusion_tool.tools.toolkit import SeatContext, Toolkit
from fusion_tool.tools.untrusted import screen_output

_LOOK_FIRST = (
    "You have not looked anything up yet. Use your tools now: search, read what bears on the question, and answer anew "
    "from what you find, citing source ids."
)
_ANSWER_NOW = "Your tool calls are spent. Answer the question now from what you have found, citing source ids."
_MOST_AGENTS = 64
_UNFIT_ARGUMENTS = "Error invoking tool"
"""The beginning of LangGraph's own message about arguments that a tool does not take: the model's fault."""


@dataclass(frozen=True)
class LoopState(SeatContext):
    """One seat's state in the loop.

    `budget` is the number of calls that the seat's log may come to, `first_calls` what it held before; with `must_look`
    a model that answers without any call is told once to look.
    """

    log: SeatLog
    panelist: Panelist
    question: str
    budget: int
    must_look: bool = False
    first_calls: int = 0
    tool_results: dict[str, ToolMessage] = field(default_factory=dict)
    replies: list[ModelReply] = field(default_factory=list)

    @property
    def has_looked(self) -> bool:
        """Whether a tool was called, here or by the provider."""
        if self.log.tool_calls > self.first_calls:
            return True
        return any(_searched_elsewhere(reply.message) for reply in self.replies)

    @property
    def is_to_look(self) -> bool:
        """Whether the answer just given is the first one, and written without a look that the question needs."""
        return self.must_look and len(self.replies) == 1 and not self.has_looked


async def answer_with_tools(  # noqa: PLR0913 - who answers what, with which tools, on whose account
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    *,
    question: str,
    panelist: Panelist,
    toolkit: Toolkit,
    log: SeatLog,
    must_look: bool = False,
) -> SeatAnswer:
    """Let `model` use the toolkit's tools, then answer.

    Args:
        model: The panelist's chat model.
        messages: The prompt.
        question: The question; by its words long results are shortened.
        panelist: The model, in its seat.
        toolkit: What the seat may use.
        log: The seat's log; its deadline ends the loop.
        must_look: Whether a model that answers without a tool call is told to look, once.

    Raises:
        ModelCallError: The model gave no usable answer; one that it gave without a look stands in `log`.
    """
    agent, before = await _agent(model, toolkit), log.tool_calls
    turn = LoopState(
        toolkit=toolkit,
        log=log,
        panelist=panelist,
        question=question,
        budget=before + toolkit.config.max_tool_calls,
        must_look=must_look,
        first_calls=before,
    )
    # Far above what the middleware lets happen: LangGraph's own limit would end the loop without a word on why.
    steps = 4 * (toolkit.config.max_tool_calls + EXTRA_TURNS) + 10
    await agent.ainvoke({"messages": list(messages)}, {"recursion_limit": steps, "tags": ["nostream"]}, context=turn)
    last = turn.replies[-1]
    if not last.text:
        raise ModelCallError(Fault("tool_loop", "the model went on calling tools instead of answering"))
    unread = toolkit.has_sources and not turn.has_looked
    return SeatAnswer(last.text, last.panelist.model_name, last.truncated, unread)


def _searched_elsewhere(message: AIMessage) -> bool:
    """Whether the provider's own tools looked something up: such calls never pass through here."""
    blocks = (str(block["type"]) for block in message.content_blocks)
    return bool(message.additional_kwargs.get("annotations")) or any(kind.startswith("server_tool") for kind in blocks)


async def _agent(model: BaseChatModel, toolkit: Toolkit) -> Any:
    """Return the compiled agent for this model and these tools; compiling one costs more than running it."""
    cache = await model_cache()
    key = ("agent", id(model), *map(id, toolkit.tools))
    if key not in cache:
        # The cache holds other things too, and callers that make model objects for each run would fill it.
        agents = [entry for entry in cache if isinstance(entry, tuple) and entry[0] == "agent"]
        if len(agents) >= _MOST_AGENTS:
            del cache[agents[0]]
        cache[key] = (_build_loop(model, toolkit.tools), model, toolkit.tools)  # held, so that no id is used twice
    return cache[key][0]


def _build_loop(model: BaseChatModel, tools: Sequence[Any]) -> Any:
    """Compile the loop: the model, the tools that it calls, the model again, until it calls none."""
    tool_node = ToolNode([tool for tool in tools if not isinstance(tool, dict)], awrap_tool_call=_call_tool)
    offered: list[Any] = [*tool_node.tools_by_name.values(), *(tool for tool in tools if isinstance(tool, dict))]

    async def call_model(state: MessagesState, runtime: Runtime[LoopState]) -> MessagesState:
        request = ModelRequest(model=model, messages=state["messages"], tools=offered, runtime=runtime)
        message = await _next_message(request)
        # Every call must be answered, the broken ones beside the good, else the next request is refused.
        return {"messages": [message, *_complaints(message)]}

    loop = StateGraph(MessagesState, context_schema=LoopState)
    loop.add_node("model", call_model)
    loop.add_node("tools", tool_node)
    loop.add_edge(START, "model")
    loop.add_conditional_edges("model", _next_node, ["tools", END])
    loop.add_edge("tools", "model")
    return loop.compile()


async def _next_node(state: MessagesState) -> str:
    # Not LangGraph's `tools_condition`: whatever is not async is given to a thread.
    said = next(message for message in reversed(state["messages"]) if isinstance(message, AIMessage))
    return "tools" if said.tool_calls else END


async def _next_message(request: ModelRequest[Any]) -> AIMessage:
    """Return the model's next message: calls of tools, or its answer."""
    turn: LoopState = request.runtime.context
    if turn.log.tool_calls >= turn.budget:
        # The tools stay declared: providers refuse a history with tool calls to a request without tools, and a prompt
        # cache serves nothing of a request that begins otherwise.
        request = request.override(tool_choice="none", messages=_with_request_to_answer(request.messages))
    while True:
        if len(turn.replies) >= turn.toolkit.config.max_tool_calls + EXTRA_TURNS:
            raise ModelCallError(Fault("tool_loop", "the model went on calling tools instead of answering"))
        # Where a fallback has stepped in, it goes on: what it was told and said is in the messages.
        speaker = turn.replies[-1].panelist if turn.replies else turn.panelist
        reply = await hedged_call(
            partial(call_with_tools, request), speaker, share=turn.toolkit.config.hedge, tools=True
        )
        names = [tool.name for tool in request.tools if isinstance(tool, BaseTool)]
        reply = make_written_calls(reply, names, request.messages)
        turn.replies.append(reply)
        message = reply.message
        if message.invalid_tool_calls and not message.tool_calls:
            follow_up: list[AnyMessage] = [*_complaints(message)]
        elif turn.is_to_look and not message.tool_calls and not looks_like_tool_call(reply.text):
            # It is paid for, and stands where the next call fails.
            turn.log.keep_answer(SeatAnswer(reply.text, reply.panelist.model_name, reply.truncated, unread=True))
            follow_up = [HumanMessage(_LOOK_FIRST)]
        else:
            return message
        request = request.override(messages=[*request.messages, message, *follow_up])


async def _call_tool(request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]) -> Any:
    turn: Any = request.runtime.context  # a `LoopState`
    call = request.tool_call
    key = json.dumps([call["name"], call["args"]], sort_keys=True, default=str)
    # A repeat is not counted: it costs nothing, and would take the budget from a call that brings something.
    if (earlier := turn.tool_results.get(key)) is not None:
        return ToolMessage(str(earlier.text), tool_call_id=str(call["id"]), name=call["name"])
    if turn.log.tool_calls >= turn.budget:
        return _error(call, "no tool calls are left; answer now")
    turn.log.count_call()
    message = await _run_tool(request, handler, turn)
    if isinstance(message, ToolMessage):
        turn.tool_results[key] = message
    return message


async def _run_tool(
    request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]], turn: LoopState
) -> Any:
    """Run a tool in the time that its seat has; return its message, be it that it failed.

    Raises:
        ModelCallError: The seat's time is over.
    """
    call, log, is_custom = request.tool_call, turn.log, turn.toolkit.is_custom(request.tool)
    arguments = json.dumps(call["args"], default=str)
    failure: ToolReason | None = None
    try:
        async with asyncio.timeout(log.deadline - time.monotonic()) as scope:
            message = await handler(request)
        failure = _handled_failure(request, message)
    except ToolException as error:
        message, failure = _error(call, scrub(str(error) or f"{call['name']} failed")), "error" if is_custom else None
    except Exception as error:
        if scope.expired():
            log.record(call["name"], arguments, [], 0, "timeout")
            raise ModelCallError(Fault("timeout", f"{call['name']} took longer than the seat has")) from error
        message = _error(call, scrub(f"{call['name']} failed: {str(error) or type(error).__name__}"))
        failure = "error"
    dropped = 0
    if is_custom:
        message, dropped = screen_output(message, config=turn.toolkit.config, nonce=turn.toolkit.nonce)
    # The package's own tools write into the seat's log themselves, unless something broke that they do not expect.
    if is_custom or failure:
        log.record(call["name"], arguments, [], dropped, failure)
    return message


def _handled_failure(request: ToolCallRequest, message: Any) -> ToolReason | None:
    """Return the failure of a tool that turns what it raises into its message; arguments that do not fit are none."""
    if request.tool is None or not request.tool.handle_tool_error:
        return None
    if not isinstance(message, ToolMessage) or message.status != "error":
        return None
    return None if str(message.text).startswith(_UNFIT_ARGUMENTS) else "error"


def _with_request_to_answer(messages: Sequence[AnyMessage]) -> list[AnyMessage]:
    """Return the messages, with the request to answer now behind the last result."""
    # Not as a message of its own: several chat templates refuse a user's turn after a tool's.
    *earlier, last = messages
    if isinstance(last.content, str):
        content: Any = f"{last.content}\n\n{_ANSWER_NOW}"
    else:
        content = [*last.content, {"type": "text", "text": _ANSWER_NOW}]
    return [*earlier, last.model_copy(update={"content": content})]


def _complaints(message: AIMessage) -> list[ToolMessage]:
    return [
        _error(call, f"the arguments are not valid JSON: {call.get('error') or 'unreadable'}")
        for call in message.invalid_tool_calls
    ]


def _error(call: Any, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"] or "", status="error")
