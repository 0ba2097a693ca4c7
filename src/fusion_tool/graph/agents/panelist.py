"""One model's answer for a seat: with tools, over evidence, or as claims."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool

from fusion_tool.config.schema import Panelist
from fusion_tool.config.system import utc_day
from fusion_tool.graph.agents.claims import claim_bounds, claims_prompt, inspect_claims, response_format
from fusion_tool.graph.agents.first_use import prepare_model
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.graph.agents.seat_tools import WEB_TOOLS, seat_toolkit, use_shell
from fusion_tool.graph.agents.spoiled import inspector, mend_reply
from fusion_tool.graph.agents.tool_loop import answer_with_tools
from fusion_tool.graph.agents.window import fit_sources, prompt_length, prompt_room, require_fit
from fusion_tool.graph.earlier import EarlierRun, render_earlier
from fusion_tool.graph.prompts import render, section
from fusion_tool.grounding.citations import cited_ids
from fusion_tool.grounding.sources import RetrievedSource, merge_sources
from fusion_tool.models.call import ModelCallError, ModelReply, call_model
from fusion_tool.models.capabilities import Capabilities, capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedging import OnFirst, hedged_call
from fusion_tool.models.wire.text_calls import looks_like_tool_call
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.policy.locality import is_local
from fusion_tool.tools.evidence import gather_evidence, relevant_sentences
from fusion_tool.tools.toolkit import Toolkit
from fusion_tool.tools.untrusted import fence

_EVIDENCE, _EVIDENCE_FEW = 8, 3
"""Sources handed to a model that cannot look for itself; few where the window or the machine is small."""
_FEW_WINDOW = 32_768
"""Up to this many tokens of context few sources are handed over."""


@dataclass(frozen=True, slots=True)
class SeatQuestion:
    """What a seat's models are asked, and with what they answer.

    Args:
        text: The question as the seat gets it.
        context: What is already known; outside text that is not fenced yet.
        earlier: The run that this one goes on from, `None` where it begins anew.
        toolkit: The tools of the wave, or what of them a model may use.
        log: The seat's log.
    """

    text: str
    context: str
    earlier: EarlierRun | None
    toolkit: Toolkit
    log: SeatLog

    @property
    def background(self) -> str:
        """What is already known, as sections of the prompt."""
        nonce = self.toolkit.nonce
        known = fence(self.context, label="context", nonce=nonce) if self.context else ""
        return render_earlier(self.earlier, nonce=nonce) + section("What is already known", known)


async def answer_question(panelist: Panelist, question: SeatQuestion) -> SeatAnswer:
    """Ask `panelist` the question; once more, over evidence, where it did not look at the sources that there are.

    Args:
        panelist: The model, in its seat.
        question: What it is asked.

    Raises:
        ModelCallError: It gave no usable answer, or none over evidence; what it cost, and the first, stand in the log.
    """
    toolkit, log = seat_toolkit(question.toolkit, panelist), question.log
    question = question if toolkit is question.toolkit else replace(question, toolkit=toolkit)
    model = await prepare_model(panelist, log.stage, log.deadline)
    capabilities = capabilities_of(panelist, model)
    if capabilities.path != "tools":
        log.miss_tools(toolkit)
    if capabilities.path == "claims":
        return await _from_claims(model, panelist, question)
    most = _most_sources(panelist, capabilities)
    if capabilities.path == "evidence" or not toolkit.tools:
        return await _over_evidence(panelist, question, most)
    # A seat's fallbacks share its log: what an earlier model retrieved, this one has not read.
    prompt, before = _prompt(question, "", _tools_hint(toolkit)), len(log.sources)
    # What an earlier run settled may be all that is asked for, and is not to be looked up again.
    must_look = question.earlier is None and _must_look(toolkit, question.text)
    try:
        first = await answer_with_tools(
            model, prompt, question=question.text, panelist=panelist, toolkit=toolkit, log=log, must_look=must_look
        )
    except ModelCallError as failed:
        # What is listed of a model may be wrong: only its endpoint knows whether it takes tools.
        if not failed.fault.rejects("tools"):
            raise
        log.miss_tools(toolkit)
        return await _over_evidence(panelist, question, most)
    inspect = inspector(panelist, question.text, rules=prompt[0].text)
    inspection = inspect(first.text) if inspect else None
    if looks_like_tool_call(first.text) or (inspection and inspection.fault):
        if inspection and inspection.fault and inspection.text:
            log.keep_answer(replace(first, text=inspection.text, spoiled=inspection.fault))
        return await _over_evidence(panelist, question, most, retrieved=log.sources[before:])
    first = replace(first, text=inspection.text) if inspection else first
    if not first.unread or _cites(first.text, question.earlier):
        return replace(first, unread=False)
    # An answer from memory is better than none, should the evidence not be found or the second call fail.
    log.keep_answer(first)
    return await _over_evidence(panelist, question, most, first=first)


def _cites(text: str, earlier: EarlierRun | None) -> bool:
    """Return whether `text` rests on sources that an earlier run handed on."""
    return earlier is not None and not {source["id"] for source in earlier["found"]}.isdisjoint(cited_ids(text))


def _must_look(toolkit: Toolkit, question: str) -> bool:
    """Return whether a seat is told to look before it may answer: it has the web, and the question needs sources."""
    builtin = toolkit.tools[: toolkit.builtin_count]
    has_web = any(isinstance(tool, BaseTool) and tool.name in WEB_TOOLS for tool in builtin)
    return has_web and classify(question).needs_sources


async def _over_evidence(
    panelist: Panelist,
    question: SeatQuestion,
    most: int,
    *,
    first: SeatAnswer | None = None,
    retrieved: Sequence[RetrievedSource] = (),
) -> SeatAnswer:
    """Ask for an answer over evidence that is gathered for the model.

    Args:
        panelist: The model, in its seat.
        question: What it is asked.
        most: The most sources of a kind that are gathered.
        first: An answer without evidence, which stands where none is found; `None` for none.
        retrieved: Sources that the model has retrieved itself.
    """
    gathered = await _evidence(question, most)
    sources = list(merge_sources([*retrieved, *gathered]).values())
    if first and not sources:
        return first

    reply = await hedged_call(partial(_call_over, sources, question), panelist, share=question.toolkit.config.hedge)
    if looks_like_tool_call(reply.text):
        raise ModelCallError(
            Fault("invalid_output", "it wrote a tool call in place of an answer"), reply.panelist.model_name
        )
    return SeatAnswer(reply.text, reply.panelist.model_name, reply.truncated, spoiled=reply.spoiled)


async def _call_over(
    sources: Sequence[RetrievedSource], question: SeatQuestion, panelist: Panelist, on_first: OnFirst | None
) -> ModelReply:
    """Call a model with as much of the sources as its window takes; half of that where it turns out too small.

    Raises:
        ModelCallError: It gave no usable reply, or what is asked alone is longer than its window.
    """
    model = await chat_model(panelist)
    shown = _sources_that_fit(sources, panelist, model, question)
    log = question.log
    account = log.stage.call_context(panelist)
    call = partial(call_model, model, account=account, deadline=log.deadline, on_first=on_first)
    log.is_cut |= _texts(shown) != _texts(sources)
    try:
        return await _ask_over(shown, panelist, question, call)
    except ModelCallError as failed:
        if failed.fault.reason != "context_overflow" or not shown:
            raise
        log.is_cut = True
        shown = fit_sources(shown, question.text, sum(map(len, _texts(shown))) // 2)
        return await _ask_over(shown, panelist, question, call)


async def _ask_over(
    sources: Sequence[RetrievedSource],
    panelist: Panelist,
    question: SeatQuestion,
    call: Callable[[Sequence[BaseMessage]], Awaitable[ModelReply]],
) -> ModelReply:
    prompt = _prompt(question, question.toolkit.render_sources(sources))
    inspect = inspector(panelist, question.text, rules=prompt[0].text)
    return await mend_reply(await call(prompt), inspect, prompt, call)


def _texts(sources: Sequence[RetrievedSource]) -> list[str]:
    return [source["text"] for source in sources]


def _sources_that_fit(
    sources: Sequence[RetrievedSource], panelist: Panelist, model: Any, question: SeatQuestion
) -> list[RetrievedSource]:
    """Return as much of the sources as the model's window takes beside what is asked."""
    capabilities = capabilities_of(panelist, model)
    if (room := prompt_room(capabilities, panelist)) is None:
        return list(sources)
    without = _prompt(question, "")
    require_fit(without, capabilities, panelist.model_name)
    labels = len(question.toolkit.render_sources([{**source, "text": ""} for source in sources]))
    return fit_sources(sources, question.text, room - prompt_length(without) - labels)


def _most_sources(panelist: Panelist, capabilities: Capabilities) -> int:
    """Return how many sources of a kind are gathered for a model: the right one is nearly always among the first."""
    window = capabilities.max_input_tokens
    is_few = is_local(panelist) or (window is not None and window <= _FEW_WINDOW)
    return _EVIDENCE_FEW if is_few else _EVIDENCE


async def _evidence(question: SeatQuestion, limit: int, *, excerpt: int | None = None) -> list[RetrievedSource]:
    """Gather evidence for the seat, in the time that it has; `limit` and `excerpt` as for `gather_evidence`."""
    toolkit, log = question.toolkit, question.log
    if not toolkit.has_sources:
        return []
    try:
        async with asyncio.timeout(log.deadline - time.monotonic()):
            return await gather_evidence(question.text, limit, toolkit=toolkit, log=log, excerpt=excerpt)
    except TimeoutError as error:
        raise ModelCallError(Fault("timeout", "gathering evidence took longer than the seat has")) from error


def _tools_hint(toolkit: Toolkit) -> str:
    return render("panelist_tools", calls=toolkit.config.max_tool_calls) + "\n\n"


def _prompt(question: SeatQuestion, evidence: str, hint: str = "") -> list[BaseMessage]:
    system = render("panelist", nonce=question.toolkit.nonce, today=utc_day(), hint=hint)
    found = section("Evidence", evidence)
    user = render("question", question=question.text, context=question.background, evidence=found)
    return [SystemMessage(system), HumanMessage(user)]


async def _from_claims(model: Any, panelist: Panelist, asked: SeatQuestion) -> SeatAnswer:
    """Ask a model for claims over the sources that are found or carried over, or plainly where none are."""
    question, earlier, toolkit, log = asked.text, asked.earlier, asked.toolkit, asked.log
    capabilities = capabilities_of(panelist, model)
    require_fit([HumanMessage(question)], capabilities, panelist.model_name)
    bounds, before = claim_bounds(capabilities.max_input_tokens), len(log.sources)
    first = await use_shell(model, panelist, question, toolkit, log) if capabilities.tools else None
    outputs = log.sources[before:]
    evidence = await _evidence(asked, _EVIDENCE_FEW, excerpt=bounds.excerpt)
    carried = [row for row in (earlier["found"] if earlier else ()) if row["text"]][:_EVIDENCE_FEW]
    excerpts = [
        RetrievedSource(**{**row, "text": relevant_sentences(row["text"], question, bounds.excerpt)})
        for row in (*outputs, *carried)
    ]
    # Commands before documents: they were run for this question.
    sources = list(merge_sources([*excerpts[: len(outputs)], *evidence, *excerpts[len(outputs) :]]).values())
    account = log.stage.call_context(panelist)
    # Of two excerpts' length where there is room: in the smallest window it must leave some to the sources.
    known = relevant_sentences(asked.context, question, bounds.excerpt * (1 if capabilities.has_small_window else 2))
    wish = f"{question}\n\nKnown already:\n{fence(known, label='context', nonce=toolkit.nonce)}" if known else question
    if first and not sources:
        return first
    if not sources:
        plain, call = [HumanMessage(wish)], partial(call_model, model, account=account, deadline=log.deadline)
        reply = await mend_reply(await call(plain), inspector(panelist, question), plain, call)
        return SeatAnswer(reply.text, account.model, reply.truncated, spoiled=reply.spoiled)
    bound = model.bind(response_format=response_format(len(sources), bounds))
    call = partial(call_model, bound, account=account, deadline=log.deadline)
    prompt = claims_prompt(wish, sources, bounds, nonce=toolkit.nonce)
    reply = await mend_reply(await call(prompt), partial(inspect_claims, sources=sources), prompt, call)
    return SeatAnswer(reply.text, account.model)
