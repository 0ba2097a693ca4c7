"""`fusion-agent`: a model with the client's tools and the panel.

Its calls of the client's tools go back to the client; its calls of the panel are answered here, and it goes on. The
server keeps nothing between requests, so the panel's findings go to the client with the calls, as the message's text:
every client sends that back.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages

from fusion_tool.api.summary import summarize
from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import FusionError
from fusion_tool.events import Event, describe
from fusion_tool.graph.agents.attempts import Attempt, first_whole_reply, models_of_role
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.result import FusionResult
from fusion_tool.models.call import CallContext, ModelCallError, ModelReply, call_model, finish_reason
from fusion_tool.models.factory import chat_model
from fusion_tool.models.health import tracker_for
from fusion_tool.models.replay import REPLAY
from fusion_tool.servers.openai.errors import ApiError, to_api_error
from fusion_tool.servers.openai.metrics import Metrics
from fusion_tool.servers.openai.request import ChatRequest
from fusion_tool.servers.openai.response import Emit, EndPiece, ProgressPiece, TextPiece
from fusion_tool.servers.runs import run_for_client


@dataclass(frozen=True)
class ToolChoice:
    """The tools on offer, `research` being the name of the panel's; `is_required` is LangChain's `tool_choice`."""

    tools: tuple[dict[str, Any], ...]
    research: str
    is_required: str | None = None
    is_met_by_research: bool = False

    @classmethod
    def of(cls, request: ChatRequest, tool: dict[str, Any]) -> "ToolChoice":
        """Read a request's choice.

        `required` with no tools but the panel's forces a run; with the client's tools it asks for a call that the
        client can answer, however much is researched before.

        Raises:
            ApiError: The choice names no tool of the request, or a client's tool has the panel's name.
        """
        research = str(tool["function"]["name"])
        theirs = [tool["function"]["name"] for tool in request.tools]
        if research in theirs:
            raise ApiError(f"the name '{research}' is taken by the panel; choose another", param="tools")
        tools = (*request.tools, tool)
        match request.tool_choice:
            case None | "auto":
                return cls(tools, research)
            case "none":
                return cls((), research)
            case "required":
                return cls(tools, research, "any", is_met_by_research=not theirs)
            case {"type": "function", "function": {"name": str(name)}} if name in (*theirs, research):
                return cls(tools, research, name, is_met_by_research=name == research)
        raise ApiError("expected auto, none, required, or a tool that is in tools", param="tool_choice")

    def after_research(self) -> "ToolChoice":
        """Return the choice that is left when the panel has answered."""
        return replace(self, is_required=None) if self.is_met_by_research else self

    def bind(self, model: Any) -> Any:
        """Return `model` with the tools."""
        if not self.tools:
            return model
        return model.bind_tools(list(self.tools), **({"tool_choice": self.is_required} if self.is_required else {}))


T = TypeVar("T")
_Say = Callable[[str], Awaitable[None]]


async def relay_deltas(say: _Say, work: Callable[[Callable[[str], None]], Awaitable[T]]) -> T:
    """Return what `work` returns, while `say` gets, in order, every text that it hands to its callback."""
    texts: asyncio.Queue[str | None] = asyncio.Queue()

    async def pass_on() -> None:
        while (text := await texts.get()) is not None:
            await say(text)

    passing = asyncio.create_task(pass_on())
    try:
        result = await work(texts.put_nowait)
    except Exception:
        texts.put_nowait(None)
        await passing  # what was said is known before the failure is
        raise
    except BaseException:
        passing.cancel()
        raise
    texts.put_nowait(None)
    await passing
    return result


_MOST_RUNS = 3
"""Runs of the panel in one request."""
_MOST_TURNS = _MOST_RUNS + 2


@dataclass
class _AgentTurn:
    """The state of one request."""

    request: ChatRequest
    config: FusionConfig
    metrics: Metrics
    emit: Emit
    budget: StageBudget
    rows: list[Call] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    runs: int = 0
    said: int = 0
    is_new_paragraph: bool = False

    async def say(self, text: str) -> None:
        """Pass on a text; the first of a new paragraph is set apart from the text before."""
        await self.emit(TextPiece(f"\n\n{text}" if self.is_new_paragraph and self.said else text))
        self.said += len(text)
        self.is_new_paragraph = False

    async def tell(self, event: Event) -> None:
        """Pass on what the panel does."""
        if (line := describe(event)) is not None:
            await self.emit(ProgressPiece(line))

    @property
    def bill(self) -> Usage:
        """The main model's calls and the panels'."""
        panels = (Call.model_validate(row) for result in self.results for row in result["usage"]["calls"])
        return Usage.of([*self.rows, *panels])


async def answer_as_agent(  # noqa: PLR0913, PLR0917 - what a request is answered with
    request: ChatRequest, main: Panelist, tool: dict[str, Any], config: FusionConfig, metrics: Metrics, emit: Emit
) -> EndPiece:
    """Pass on the main model's next message to the client, and return its end.

    Args:
        request: The client's request.
        main: The main model, with its fallbacks.
        tool: The panel, as one of OpenAI's tools.
        config: The panel's configuration; its limits hold for each run, and for the main model's calls together.
        metrics: The server's counters.
        emit: Takes text and progress.

    Raises:
        ApiError: The request's tools or messages are wrong, or the main model gave no usable answer.
    """
    ledger = Ledger(usd=config.limits.usd, tokens=config.limits.tokens)
    turn = _AgentTurn(request, config, metrics, emit, StageBudget(ledger, "synthesizer"))
    choice = ToolChoice.of(request, tool)
    messages = _read(request.messages)
    try:
        for _ in range(_MOST_TURNS):
            reply = await _ask(turn, main, messages, choice)
            research = [call for call in _calls(reply.message) if call["name"] == choice.research]
            theirs = [call for call in _calls(reply.message) if call["name"] != choice.research]
            answers = await asyncio.gather(*(_research(turn, call) for call in research))
            if theirs or not research:
                return await _end(turn, reply, theirs)
            messages = [*messages, reply.message, *answers]
            choice = choice.after_research()
    finally:
        # The panels' calls are counted with their runs.
        metrics.count_calls(Usage.of(turn.rows).model_dump())
    raise ApiError("the model went on asking the panel instead of answering", status=502, code="tool_loop")


async def _ask(turn: _AgentTurn, main: Panelist, messages: Sequence[BaseMessage], choice: ToolChoice) -> ModelReply:
    """Return the model's reply, or the first fallback's that gives one before anything was said."""
    said, failures = turn.said, [ApiError("no model was asked", status=500)]

    def note_failure(attempt: Attempt, error: Exception) -> None:
        if not isinstance(error, ModelCallError):
            raise error
        message = f"{attempt.panelist.model_name}: {error.fault.message}"
        failures.append(ApiError(message, status=502, code=error.fault.reason))
        if turn.said != said:  # the client has read a part of this answer; another model's cannot follow it
            raise failures[-1]

    reply = await first_whole_reply(
        models_of_role(main),
        lambda attempt: _ask_model(turn, attempt, messages, choice),
        health=tracker_for(turn.config),
        deadline=time.monotonic() + turn.config.limits.seconds,
        on_failure=note_failure,
    )
    if reply is None:
        raise failures[-1]
    return reply


async def _ask_model(
    turn: _AgentTurn, attempt: Attempt, messages: Sequence[BaseMessage], choice: ToolChoice
) -> ModelReply:
    panelist, turn.is_new_paragraph = attempt.panelist, True
    bound: Any = choice.bind(await chat_model(panelist)).bind(**turn.request.sampling)
    put = partial(
        call_model,
        bound,
        messages,
        account=CallContext("synthesizer", panelist, turn.budget, turn.rows, health=tracker_for(turn.config)),
        deadline=attempt.deadline,
    )
    if turn.request.stream:
        return await relay_deltas(turn.say, lambda on_delta: put(on_delta=on_delta))
    reply = await put()
    if reply.text:
        await turn.say(reply.text)
    return reply


async def _research(turn: _AgentTurn, call: dict[str, Any]) -> ToolMessage:
    """Return the panel's answer to one call; a failure is an answer too, and the model may go on without."""
    try:
        arguments = json.loads(call["arguments"])
        question, context = str(arguments["question"]), str(arguments.get("context") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _result(call, "the arguments must be JSON with a 'question'", failed=True)
    if turn.runs >= _MOST_RUNS:
        return _result(call, "no research is left in this turn; answer with what is known", failed=True)
    turn.runs += 1
    on_event = turn.tell if turn.request.stream else None
    await turn.emit(ProgressPiece(f"fusion_research: {' '.join(question.split())[:150]}"))
    try:
        result = await turn.metrics.count_run(run_for_client(RunInput(question, context), turn.config, on_event))
    except FusionError as error:
        return _result(call, to_api_error(error).message, failed=True)
    turn.results.append(result)
    text = summarize(FusionResult.model_validate(result), turn.config.summary_tokens)
    turn.findings.append(f"**Research: {' '.join(question.split())}**\n\n{text}")
    return _result(call, text)


async def _end(turn: _AgentTurn, reply: ModelReply, theirs: Sequence[dict[str, Any]]) -> EndPiece:
    if theirs:
        for finding in turn.findings:
            turn.is_new_paragraph = True
            await turn.say(finding)
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in theirs
    ]
    why = "tool_calls" if calls else "length" if finish_reason(reply.message) == "length" else "stop"
    return EndPiece(turn.bill, {"runs": turn.results}, why, calls)


def _read(messages: list[dict[str, Any]]) -> list[BaseMessage]:
    try:
        read = convert_to_messages(messages)
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise ApiError(f"cannot be read: {error}"[:300], param="messages") from None
    for message in read:
        message.additional_kwargs.pop(REPLAY, None)  # a client's fields land there too; this one is the models' alone
    return read


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    """Return all calls, those with broken arguments too, with the arguments as text."""
    whole = [{**call, "arguments": json.dumps(call["args"], ensure_ascii=False)} for call in message.tool_calls]
    return [*whole, *({**call, "arguments": call["args"] or ""} for call in message.invalid_tool_calls)]


def _result(call: dict[str, Any], text: str, *, failed: bool = False) -> ToolMessage:
    status = "error" if failed else "success"
    return ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"], status=status)
