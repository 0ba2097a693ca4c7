"""The model `fusion-agent`: one model that has the client's tools, and the panel as one more.

Its calls of the client's tools go back to the client; its calls of the panel are answered here, and it goes on. The
server keeps nothing between requests, so what the panel found is given to the client with the calls, as the message's
text: every client sends that back.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages

from fusion_tool.budget import Ledger, Tab
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.errors import FusionError
from fusion_tool.events import Event
from fusion_tool.models.call import Account, CallFailed, Reply, ask, finish_reason
from fusion_tool.models.factory import chat_model, fallback_of
from fusion_tool.models.replay import REPLAY
from fusion_tool.result import FusionResult
from fusion_tool.servers import panel
from fusion_tool.servers.conversation import Conversation
from fusion_tool.servers.forced import Choice
from fusion_tool.servers.metrics import Metrics
from fusion_tool.servers.pieces import Emit, End, Progress, Text
from fusion_tool.servers.refusals import ApiError, refusal
from fusion_tool.servers.relay import relayed
from fusion_tool.servers.telling import told
from fusion_tool.servers.wanted import Wanted
from fusion_tool.summary import summary
from fusion_tool.usage import Call, Usage

_MOST_RUNS = 3
"""Runs of the panel in one request."""
_MOST_TURNS = _MOST_RUNS + 2


@dataclass
class _Turn:
    """What one request has come to so far."""

    wanted: Wanted
    config: FusionConfig
    metrics: Metrics
    emit: Emit
    tab: Tab
    rows: list[Call] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    runs: int = 0
    said: int = 0
    is_new_paragraph: bool = False

    async def say(self, text: str) -> None:
        """Pass on a text; the first one of a new paragraph stands apart from what was said before."""
        await self.emit(Text(f"\n\n{text}" if self.is_new_paragraph and self.said else text))
        self.said += len(text)
        self.is_new_paragraph = False

    async def tell(self, event: Event) -> None:
        """Pass on what the panel does."""
        if (line := told(event)) is not None:
            await self.emit(Progress(line))

    @property
    def bill(self) -> Usage:
        """The main model's calls and the panels'."""
        panels = (Call.model_validate(row) for result in self.results for row in result["usage"]["calls"])
        return Usage.of([*self.rows, *panels])


async def converse(  # noqa: PLR0913, PLR0917 - what a request is answered with
    wanted: Wanted, main: Panelist, tool: dict[str, Any], config: FusionConfig, metrics: Metrics, emit: Emit
) -> End:
    """The main model's next message to the client.

    Args:
        wanted: The request.
        main: The main model, with its fallbacks.
        tool: The panel, as one of OpenAI's tools.
        config: What the panel runs with; its limits hold for each run, and for the main model's calls together.
        metrics: Where it is counted.
        emit: Takes text and progress.

    Raises:
        ApiError: The request makes no sense, or the main model gave no usable answer.
    """
    ledger = Ledger(usd=config.limits.usd, tokens=config.limits.tokens, strategy="solo")
    turn = _Turn(wanted, config, metrics, emit, Tab(ledger, "synthesizer"))
    choice = Choice.of(wanted, tool)
    messages = _read(wanted.messages)
    try:
        for _ in range(_MOST_TURNS):
            reply = await _ask(turn, main, messages, choice)
            research = [call for call in _calls(reply.message) if call["name"] == choice.research]
            theirs = [call for call in _calls(reply.message) if call["name"] != choice.research]
            found = await asyncio.gather(*(_research(turn, call) for call in research))
            if theirs or not research:
                return await _end(turn, reply, theirs)
            messages = [*messages, reply.message, *found]
            choice = choice.once_researched()
    finally:
        metrics.called(Usage.of(turn.rows).model_dump())
    raise ApiError("the model went on asking the panel instead of answering", status=502, code="tool_loop")


async def _ask(turn: _Turn, main: Panelist, messages: Sequence[BaseMessage], choice: Choice) -> Reply:
    """The model's reply, or the first fallback's that gives one before anything was said."""
    said, failed = turn.said, ApiError("no model was asked", status=500)
    for name in (main.model, *main.fallbacks):
        one, turn.is_new_paragraph = fallback_of(main, name), True
        try:
            return await _asked(turn, one, messages, choice)
        except CallFailed as error:
            fault = error.fault
            failed = ApiError(f"{one.model_name}: {fault.message}", status=502, code=fault.reason)
            if turn.said != said:
                break
    raise failed


async def _asked(turn: _Turn, one: Panelist, messages: Sequence[BaseMessage], choice: Choice) -> Reply:
    bound: Any = choice.bind(await chat_model(one)).bind(**turn.wanted.sampling)
    put = partial(
        ask,
        bound,
        messages,
        account=Account("synthesizer", one, turn.tab, turn.rows),
        deadline=time.monotonic() + turn.config.limits.seconds,
    )
    if turn.wanted.stream:
        return await relayed(turn.say, lambda on_delta: put(on_delta=on_delta))
    reply = await put()
    if reply.text:
        await turn.say(reply.text)
    return reply


async def _research(turn: _Turn, call: dict[str, Any]) -> ToolMessage:
    """The panel's answer to one call; a failure is told to the model, which may go on without."""
    try:
        arguments = json.loads(call["arguments"])
        question, context = str(arguments["question"]), str(arguments.get("context") or "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _result(call, "the arguments must be JSON with a 'question'", failed=True)
    if turn.runs >= _MOST_RUNS:
        return _result(call, "no research is left in this turn; answer with what is known", failed=True)
    turn.runs += 1
    asked = Conversation(question, context, "")
    await turn.emit(Progress(f"fusion_research: {' '.join(question.split())[:150]}"))
    try:
        result = await panel.run(asked, turn.config, turn.metrics, turn.tell if turn.wanted.stream else None)
    except FusionError as error:
        return _result(call, refusal(error).message, failed=True)
    turn.results.append(result)
    text = summary(FusionResult.model_validate(result), turn.config.summary_tokens)
    turn.findings.append(f"**Research: {' '.join(question.split())}**\n\n{text}")
    return _result(call, text)


async def _end(turn: _Turn, reply: Reply, theirs: Sequence[dict[str, Any]]) -> End:
    if theirs:
        for finding in turn.findings:
            turn.is_new_paragraph = True
            await turn.say(finding)
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in theirs
    ]
    why = "tool_calls" if calls else "length" if finish_reason(reply.message) == "length" else "stop"
    return End(turn.bill, {"runs": turn.results}, why, calls)


def _read(messages: list[dict[str, Any]]) -> list[BaseMessage]:
    try:
        read = convert_to_messages(messages)
    except (ValueError, KeyError, TypeError, NotImplementedError) as error:
        raise ApiError(f"cannot be read: {error}"[:300], param="messages") from None
    for message in read:
        message.additional_kwargs.pop(REPLAY, None)  # a client's fields land there too; this one is the models' alone
    return read


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    """All calls, those with broken arguments too, with the arguments as text."""
    whole = [{**call, "arguments": json.dumps(call["args"], ensure_ascii=False)} for call in message.tool_calls]
    return [*whole, *({**call, "arguments": call["args"] or ""} for call in message.invalid_tool_calls)]


def _result(call: dict[str, Any], text: str, *, failed: bool = False) -> ToolMessage:
    status = "error" if failed else "success"
    return ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"], status=status)
