"""`fusion-agent`: one main model that has the client's tools, and the panel as one more.

The client answers the model's calls of its own tools; the server answers its calls of the panel, and lets the model go
on. The server keeps nothing between requests, so the panel's findings go to the client in the text of the message that
holds the calls: every client sends that text back with its next request.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from fusion_tool.api.recent_results import RecentResults
from fusion_tool.api.summary import summarize
from fusion_tool.budget.admission import require_priced
from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.budget.usage import Call, Usage
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.errors import ConfigError, FusionError
from fusion_tool.events import Event
from fusion_tool.graph.agents.attempts import Attempt, first_whole_reply, models_of_role
from fusion_tool.graph.duration import run_seconds
from fusion_tool.graph.event_lines import describe
from fusion_tool.graph.inputs import RunInput
from fusion_tool.graph.prompts import render
from fusion_tool.graph.result import FusionResult
from fusion_tool.models.call import CallContext, ModelCallError, ModelReply, call_model
from fusion_tool.models.capabilities import first_accepted, structured_output_methods
from fusion_tool.models.factory import chat_model
from fusion_tool.models.health import tracker_for
from fusion_tool.models.replay import EXTRA
from fusion_tool.models.thinking import fields_for_client, model_mark
from fusion_tool.models.written_calls import make_written_calls
from fusion_tool.servers.account import Account
from fusion_tool.servers.openai.answer_format import AnswerFormat
from fusion_tool.servers.openai.conversation import read_conversation
from fusion_tool.servers.openai.errors import ApiError, answer_unreadable, to_api_error
from fusion_tool.servers.openai.relay import relay_deltas
from fusion_tool.servers.openai.request import ChatRequest
from fusion_tool.servers.openai.response import Emit, EndPiece, ProgressPiece, TextPiece
from fusion_tool.servers.openai.tool_choice import ToolChoice

MOST_RUNS = 3
"""Runs of the panel in one request."""
_TEXTS = ("context", "instructions", "continues")
"""The arguments of the panel's tool beside its question."""
# One turn for each run, one whose call is turned down because none is left, and one to answer.
_MOST_TURNS = MOST_RUNS + 2


@dataclass
class _AgentRequest:
    """The state of one request while it is worked on.

    Attributes:
        rows: The main model's calls so far.
        findings: What the panel's runs found, for the client's next request.
        results: Their results as dicts, for the response's `fusion` field.
        recent: The same, for a run that goes on from one of them: nothing is kept between requests.
        runs: How many runs of the panel have begun.
        characters_said: Length of the text that the client has.
        is_new_paragraph: Whether the next text begins another message of the model's.
    """

    request: ChatRequest
    config: FusionConfig
    account: Account
    emit: Emit
    budget: StageBudget
    rows: list[Call] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    recent: RecentResults = field(default_factory=RecentResults)
    runs: int = 0
    characters_said: int = 0
    is_new_paragraph: bool = False

    async def say(self, text: str) -> None:
        """Send a text to the client; the first of a new paragraph is set apart from the text before."""
        # The client sees one message, whatever number of turns wrote it.
        await self.emit(TextPiece(f"\n\n{text}" if self.is_new_paragraph and self.characters_said else text))
        self.characters_said += len(text)
        self.is_new_paragraph = False

    async def show_event(self, event: Event) -> None:
        """Send a panel's event to the client as progress."""
        if (line := describe(event)) is not None:
            await self.emit(ProgressPiece(line))

    @property
    def bill(self) -> Usage:
        """The main model's calls and those of the panel's runs."""
        panels = (Call.model_validate(row) for result in self.results for row in result["usage"]["calls"])
        return Usage.of([*self.rows, *panels])


async def answer_as_agent(  # noqa: PLR0913, PLR0917 - what a request is answered with
    request: ChatRequest, main: Panelist, tool: dict[str, Any], config: FusionConfig, account: Account, emit: Emit
) -> EndPiece:
    """Send the main model's next message to the client, and return its end.

    Args:
        request: The client's request.
        main: The main model, with its fallbacks.
        tool: The panel, as one of OpenAI's tools.
        config: The panel's configuration; its limits hold for each run, and once more for the main model's calls
            together.
        account: The request's account.
        emit: Sends text and progress to the client.

    Raises:
        ApiError: The request's tools or messages are wrong, or the main model gave no usable answer.
    """
    # Billed as the synthesizer: it is the main model that writes the answer.
    limits, session = config.limits, account.session.ledger
    if limits.usd is not None and not config.allow_unpriced:
        require_priced([("agent_model", main)], "limits.usd")
    budget = StageBudget(Ledger(usd=limits.usd, tokens=limits.tokens, session=session), "synthesizer")
    agent = _AgentRequest(request, config, account, emit, budget)
    choice = ToolChoice.of(request, tool)
    messages = read_conversation(request.messages, choice.names, await _only_endpoint(main))
    if request.answer_format is not None:
        schema = json.dumps(request.answer_format.schema, ensure_ascii=False)
        messages = [SystemMessage(render("answer_schema", schema=schema)), *messages]
    for _ in range(_MOST_TURNS):
        reply = await _ask(agent, main, messages, choice)
        research = [call for call in _calls(reply.message) if call["name"] == choice.research]
        client_calls = [call for call in _calls(reply.message) if call["name"] != choice.research]
        # Before the client's calls go back: the model has no other turn in which these could be answered.
        answers = await asyncio.gather(*(_research(agent, call) for call in research))
        if client_calls or not research:
            return await _end(agent, reply, client_calls)
        if request.answer_format is not None and reply.text:  # not a part of the object, and not lost
            await emit(ProgressPiece(" ".join(reply.text.split())[:150]))
        messages = [*messages, reply.message, *answers]
        choice = choice.after_research()
    raise ApiError("the model went on asking the panel instead of answering", status=502, code="tool_loop")


async def _ask(agent: _AgentRequest, main: Panelist, messages: Sequence[BaseMessage], choice: ToolChoice) -> ModelReply:
    """Return the main model's reply, or that of its first fallback that gives one."""
    characters_before, failures = agent.characters_said, [ApiError("no model was asked", status=500)]

    def on_failure(attempt: Attempt, error: Exception) -> None:
        if not isinstance(error, ModelCallError):
            raise error
        name, message = attempt.panelist.model_name, error.fault.message
        message = message if message.startswith(name) else f"{name}: {message}"
        failures.append(ApiError(message, status=502, code="model_failed", more={"reason": error.fault.reason}))
        # The client has read a part of this answer: another model's cannot follow it.
        if agent.characters_said != characters_before:
            raise failures[-1]

    reply = await first_whole_reply(
        models_of_role(main),
        lambda attempt: _ask_model(agent, attempt, messages, choice),
        run_id=f"agent-{id(agent)}",
        health=tracker_for(agent.config),
        deadline=time.monotonic() + run_seconds(agent.config),
        on_failure=on_failure,
    )
    if reply is None:
        raise failures[-1]
    return reply


async def _ask_model(
    agent: _AgentRequest, attempt: Attempt, messages: Sequence[BaseMessage], choice: ToolChoice
) -> ModelReply:
    agent.is_new_paragraph = True
    panelist, answer_format = _narrowed(attempt.panelist, agent.request), agent.request.answer_format
    model = await _bound_model(agent, panelist, choice)
    call = partial(
        call_model,
        messages=messages,
        account=CallContext("synthesizer", panelist, agent.budget, agent.rows, health=tracker_for(agent.config)),
        deadline=attempt.deadline,
    )
    try:
        if answer_format is not None:  # said at the end, when it is known to be an object
            methods = structured_output_methods(
                model, answer_format.name, answer_format.schema, takes_schema=None, tools=False
            )
            reply, _ = await first_accepted(methods, call)
            return make_written_calls(reply, choice.names, messages)
        if agent.request.stream:  # a written call has been shown by now, as any text
            reply = await relay_deltas(agent.say, lambda on_delta: call(model, on_delta=on_delta))
            return make_written_calls(reply, choice.names, messages)
        reply = make_written_calls(await call(model), choice.names, messages)
    except ModelCallError as error:
        if error.fault.reason != "truncated" or panelist.max_tokens == attempt.panelist.max_tokens:
            raise
        # Spent on reasoning: the client's own limit does what it says, and no fallback would have more.
        return ModelReply("", AIMessage(""), truncated=True, panelist=panelist)
    if reply.text:
        await agent.say(reply.text)
    return reply


async def _bound_model(agent: _AgentRequest, panelist: Panelist, choice: ToolChoice) -> Any:
    model: Any = choice.bind(await chat_model(panelist)).bind(**agent.request.sampling)
    return model.bind(max_tokens=panelist.max_tokens) if panelist.max_tokens else model


def _narrowed(panelist: Panelist, request: ChatRequest) -> Panelist:
    """Return the panelist with the smaller one of its own limit of tokens and the client's."""
    limits = [limit for limit in (panelist.max_tokens, request.sampling.get("max_tokens")) if limit]
    return panelist.model_copy(update={"max_tokens": min(limits, default=None)})


async def _research(agent: _AgentRequest, call: dict[str, Any]) -> ToolMessage:
    """Return the panel's answer to one call; a failure is an answer too, and the model may go on without."""
    try:
        arguments = json.loads(call["arguments"])
        question = str(arguments["question"])
        context, instructions, earlier_id = (str(arguments.get(name) or "").strip() for name in _TEXTS)
    except (ValueError, KeyError, TypeError, AttributeError):
        return _tool_message(call, "the arguments must be JSON with a 'question'", failed=True)
    if agent.runs >= MOST_RUNS:
        return _tool_message(call, "no research is left in this turn; answer with what is known", failed=True)
    try:
        earlier = agent.recent.find(earlier_id) if earlier_id else None
    except ConfigError as error:
        return _tool_message(call, str(error), failed=True)
    request = RunInput(question, context, instructions, earlier=earlier)
    # Before anything is awaited: the calls of one turn run at the same time, and each must see the others.
    agent.runs += 1
    on_event = agent.show_event if agent.request.stream else None
    await agent.emit(ProgressPiece(f"fusion_research: {' '.join(question.split())[:150]}"))
    try:
        result = await agent.account.run(request, agent.config, on_event, turn=f"{agent.runs} {call['arguments']}")
    except FusionError as error:
        return _tool_message(call, to_api_error(error).message, failed=True)
    agent.results.append(result)
    agent.recent.add(result)
    text = summarize(FusionResult.model_validate(result), agent.config.summary_tokens)
    agent.findings.append(f"**Research: {' '.join(question.split())}**\n\n{text}")
    return _tool_message(call, text)


async def _end(agent: _AgentRequest, reply: ModelReply, client_calls: Sequence[dict[str, Any]]) -> EndPiece:
    if (answer_format := agent.request.answer_format) is not None and reply.text:
        is_final = not client_calls and not reply.truncated
        await agent.say(_object_of(agent, reply, answer_format) if is_final else reply.text)
    # Only beside calls: a final answer was written with the findings before the model's eyes.
    if client_calls:
        for finding in agent.findings:
            agent.is_new_paragraph = True
            await agent.say(finding)
    fields = fields_for_client(reply.message)
    extras = fields.pop(EXTRA, {})
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        | ({EXTRA: extras[call["id"]]} if call["id"] in extras else {})
        for call in client_calls
    ]
    why = "tool_calls" if calls else "length" if reply.truncated else "stop"
    return EndPiece(agent.bill, {"runs": agent.results}, why, calls, fields)


def _object_of(agent: _AgentRequest, reply: ModelReply, answer_format: AnswerFormat) -> str:
    """Return the object in a final answer; raise where it is not of the form asked for."""
    try:
        return answer_format.read(reply.text)
    except ValueError as error:
        raise answer_unreadable(str(error), reply.text, {"runs": agent.results}) from error


async def _only_endpoint(main: Panelist) -> str | None:
    """Return the mark of the main model's endpoint; `None` where a fallback may have answered before as well."""
    return None if main.fallbacks else getattr(await chat_model(main), "endpoint_mark", model_mark(main))


def _calls(message: AIMessage) -> list[dict[str, Any]]:
    """Return all calls with their arguments as text, those too whose arguments are no JSON: the client judges them."""
    whole = [{**call, "arguments": json.dumps(call["args"], ensure_ascii=False)} for call in message.tool_calls]
    return [*whole, *({**call, "arguments": call["args"] or ""} for call in message.invalid_tool_calls)]


def _tool_message(call: dict[str, Any], text: str, *, failed: bool = False) -> ToolMessage:
    status = "error" if failed else "success"
    return ToolMessage(text, tool_call_id=str(call["id"]), name=call["name"], status=status)
