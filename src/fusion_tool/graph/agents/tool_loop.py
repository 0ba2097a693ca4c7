"""A seat with tools: LangChain's agent loop under a tool budget.

The middleware below is what keeps the loop honest: each model call is measured and billed, the tools are taken
away when their budget is spent and the answer asked for, repeated calls are answered from what is known, and a
tool that fails tells the model, not the graph.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import ToolException

from fusion_tool.budget.ledger import TOOLS_BYTES
from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.seat_log import Answer, Notebook
from fusion_tool.models.call import CallFailed, Reply, ask
from fusion_tool.models.clients import model_cache
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault, scrub
from fusion_tool.models.hedging import OnFirst, hedged
from fusion_tool.tools.toolkit import Kit, SeatContext
from fusion_tool.tools.untrusted import screened

_ANSWER_NOW = "Your tool calls are spent. Answer the question now from what you have found, citing source ids."
_EXTRA_TURNS = 3
"""Model calls beyond the tool budget, for malformed tool calls and the answer itself."""
_MOST_AGENTS = 64


@dataclass(frozen=True)
class _Turn(SeatContext):
    """One seat's state in the loop."""

    panelist: Panelist
    book: Notebook
    budget: int
    known: dict[str, ToolMessage] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)


async def answer_with_tools(
    model: BaseChatModel, messages: Sequence[BaseMessage], *, panelist: Panelist, kit: Kit, book: Notebook
) -> Answer:
    """Let `model` use the kit's tools, then answer.

    Raises:
        CallFailed: It gave no usable answer.
    """
    agent, before = await _agent(model, kit), book.tool_calls
    turn = _Turn(
        kit=kit,
        log=book,
        panelist=panelist,
        book=book,
        budget=before + kit.config.max_tool_calls,
    )
    steps = 4 * (kit.config.max_tool_calls + _EXTRA_TURNS) + 10
    await agent.ainvoke({"messages": list(messages)}, {"recursion_limit": steps, "tags": ["nostream"]}, context=turn)
    last = turn.replies[-1]
    if not last.text:
        raise CallFailed(Fault("tool_loop", "the model went on calling tools instead of answering"))
    looked = book.tool_calls > before or any(_searched_elsewhere(reply.message) for reply in turn.replies)
    unread = kit.has_sources and not looked
    return Answer(last.text, last.panelist.model_name, last.truncated, unread)


def _searched_elsewhere(message: AIMessage) -> bool:
    """Whether the provider's own tools looked something up: such calls never pass through here."""
    blocks = (str(block["type"]) for block in message.content_blocks)
    return bool(message.additional_kwargs.get("annotations")) or any(kind.startswith("server_tool") for kind in blocks)


async def _agent(model: BaseChatModel, kit: Kit) -> Any:
    """The compiled agent for this model and these tools; compiling one costs more than running it."""
    cache = await model_cache()
    key = ("agent", id(model), *map(id, kit.tools))
    if key not in cache:
        agents = [known for known in cache if isinstance(known, tuple) and known[0] == "agent"]
        if len(agents) >= _MOST_AGENTS:
            del cache[agents[0]]
        agent = create_agent(model, list(kit.tools), middleware=[_SeatLoop()], context_schema=_Turn)
        cache[key] = (agent, model, kit.tools)  # held, so that no id is used twice
    return cache[key][0]


class _SeatLoop(AgentMiddleware[Any, Any]):
    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],  # noqa: ARG002 - `_ask` stands in for it
    ) -> ModelResponse[Any]:
        turn: _Turn = request.runtime.context
        if turn.book.tool_calls >= turn.budget:
            request = request.override(
                tools=[], tool_choice=None, messages=[*request.messages, HumanMessage(_ANSWER_NOW)]
            )
        while True:
            if len(turn.replies) >= turn.kit.config.max_tool_calls + _EXTRA_TURNS:
                raise CallFailed(Fault("tool_loop", "the model went on calling tools instead of answering"))
            # Where a fallback has stepped in, it goes on: what it was told and said is in the messages.
            speaker = turn.replies[-1].panelist if turn.replies else turn.panelist
            reply = await hedged(partial(_ask, request), speaker, share=turn.kit.config.hedge, tools=True)
            turn.replies.append(reply)
            message = reply.message
            if message.tool_calls or not message.invalid_tool_calls:
                return ModelResponse(result=[message])
            request = request.override(messages=[*request.messages, message, *_complaints(message)])

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[Any]]
    ) -> Any:
        turn: Any = request.runtime.context  # a _Turn
        call = request.tool_call
        key = json.dumps([call["name"], call["args"]], sort_keys=True, default=str)
        if (known := turn.known.get(key)) is not None:
            return ToolMessage(str(known.text), tool_call_id=str(call["id"]), name=call["name"])
        if turn.book.tool_calls >= turn.budget:
            return _error(call, "no tool calls are left; answer now")
        turn.book.begin()
        try:
            async with asyncio.timeout(turn.book.deadline - time.monotonic()) as scope:
                message = await handler(request)
        except ToolException as error:
            message = _error(call, scrub(str(error) or f"{call['name']} failed"))
        except Exception as error:
            if scope.expired():
                raise CallFailed(Fault("timeout", f"{call['name']} took longer than the seat has")) from error
            message = _error(call, scrub(f"{call['name']} failed: {str(error) or type(error).__name__}"))
        if turn.kit.is_own(request.tool):  # they do not write into the seat's log
            message, dropped = screened(message, turn.kit)
            turn.book.note(call["name"], json.dumps(call["args"], default=str), [], dropped)
        if isinstance(message, ToolMessage):
            turn.known[key] = message
        return message


async def _ask(request: ModelRequest[Any], one: Panelist, on_first: OnFirst | None) -> Reply:
    """One call of `one` in place of the agent's own, which could neither stream nor go to another model."""
    turn: Any = request.runtime.context  # a _Turn
    model: Any = await chat_model(one)
    if request.tools:
        model = model.bind_tools(request.tools, tool_choice=request.tool_choice)
    return await ask(
        model,
        request.messages,
        account=turn.book.account(one),
        deadline=turn.book.deadline,
        on_first=on_first,
        extra_bytes=TOOLS_BYTES if request.tools else 0,
    )


def _complaints(message: AIMessage) -> list[ToolMessage]:
    return [
        _error(call, f"the arguments are not valid JSON: {call.get('error') or 'unreadable'}")
        for call in message.invalid_tool_calls
    ]


def _error(call: Any, text: str) -> ToolMessage:
    return ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"] or "", status="error")
