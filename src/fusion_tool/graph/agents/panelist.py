"""One model's answer for a seat: with tools, over evidence, or as claims.

A model too small to cite on its own still has to name a source for every claim; its server's grammar admits no
other. Sources are numbered in its prompt, since an id of eight digits is more than it can copy. Whether the source
carries the claim is for the audit to say.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.tools import BaseTool
from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.graph.agents.tool_loop import answer_with_tools
from fusion_tool.graph.earlier import EarlierRun, render_earlier
from fusion_tool.graph.prompts import render, section
from fusion_tool.grounding.citations import cited_ids
from fusion_tool.grounding.sources import RetrievedSource, merge_sources
from fusion_tool.models.call import ModelCallError, ModelReply, call_model
from fusion_tool.models.capabilities import capabilities_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedging import OnFirst, hedged_call
from fusion_tool.models.json_reader import read_objects
from fusion_tool.models.wire.text_calls import looks_like_tool_call
from fusion_tool.routing.classifier.classify import classify
from fusion_tool.routing.policy.documents import seat_config
from fusion_tool.routing.policy.locality import is_local_tool
from fusion_tool.tools.evidence import gather_evidence, relevant_sentences
from fusion_tool.tools.toolkit import Toolkit
from fusion_tool.tools.untrusted import fence

_WEB_TOOLS, _DOCUMENT_TOOLS = ("web_search", "fetch_page"), ("search_documents",)
"""The tools that send something out, and the one that reads the user's documents."""
_MOST_CLAIMS = 2
_SENTENCE = "^[A-Z][A-Za-z0-9'-]{0,11}( [A-Za-z0-9,.%$'-]{1,14}){3,18}\\.$"
"""A plain sentence; without a pattern so small a model fills a string with anything."""


class _Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    source: int


def claims_prompt(question: str, sources: Sequence[RetrievedSource], *, nonce: str) -> list[BaseMessage]:
    """Return a small model's prompt: one worked example, the numbered sources, the question.

    Args:
        question: The question.
        sources: The sources that claims may be made from, the best first.
        nonce: The token of the run's fences.
    """
    numbered = "\n".join(f"[{n}] {' '.join(source['text'].split())}" for n, source in enumerate(sources, start=1))
    return [
        SystemMessage(render("small_panelist")),
        HumanMessage(render("small_example_question")),
        AIMessage(render("small_example_answer")),
        HumanMessage(
            render("small_question", question=question, evidence=fence(numbered, label="sources", nonce=nonce))
        ),
    ]


def response_format(count: int) -> dict[str, Any]:
    """Return OpenAI's `response_format` for one or two claims over `count` numbered sources."""
    claim = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "pattern": _SENTENCE},
            "source": {"type": "integer", "enum": list(range(1, count + 1))},
        },
        "required": ["text", "source"],
        "additionalProperties": False,
    }
    many = {"type": "array", "items": claim, "minItems": 1, "maxItems": _MOST_CLAIMS}
    schema = {"type": "object", "properties": {"claims": many}, "required": ["claims"], "additionalProperties": False}
    return {"type": "json_schema", "json_schema": {"name": "claims", "strict": True, "schema": schema}}


def claims_to_text(reply: str, sources: Sequence[RetrievedSource]) -> str | None:
    """Return the claims of a reply as lines with citations by id; `None` where it holds none.

    Of a reply that was cut off at its token limit the whole claims are kept.

    Args:
        reply: The model's text, JSON by `response_format`.
        sources: The sources that its numbers stand for.
    """
    objects = read_objects(reply, lambda value: isinstance(value.get("claims"), list))
    rows = objects[-1].value["claims"] if objects else []
    whole = [claim for row in rows if (claim := _whole_claim(row)) and 1 <= claim.source <= len(sources)]
    # By id, as every other seat cites: what follows does not know that these sources once had numbers.
    lines = [f"- {' '.join(claim.text.split())} [{sources[claim.source - 1]['id']}]" for claim in whole]
    return "\n".join(dict.fromkeys(lines)) or None


def _whole_claim(row: Any) -> _Claim | None:
    try:
        return _Claim.model_validate(row)
    except ValidationError:
        return None


_EVIDENCE, _EVIDENCE_SMALL = 8, 3
"""Sources handed to a model that cannot look for itself."""
_EXCERPT_SMALL = 330
"""Characters of each source for a model with little context."""


async def answer_question(  # noqa: PLR0913 - what is asked, of whom, and what is known already
    panelist: Panelist,
    question: str,
    context: str,
    *,
    earlier: EarlierRun | None = None,
    toolkit: Toolkit,
    log: SeatLog,
) -> SeatAnswer:
    """Ask `panelist` the question; once more, over evidence, where it did not look at the sources that there are.

    Args:
        panelist: The model, in its seat.
        question: The question as the seat gets it.
        context: What is already known; outside text that is not fenced yet.
        earlier: The run that this one goes on from, `None` where it begins anew.
        toolkit: The tools of the wave.
        log: The seat's log.

    Raises:
        ModelCallError: It gave no usable answer, or none over evidence; what it cost, and the first, stand in `log`.
    """
    toolkit = seat_toolkit(toolkit, panelist)
    model = await chat_model(panelist)
    capabilities = capabilities_of(panelist, model)
    if capabilities.small:
        return await _from_claims(model, panelist, question, earlier=earlier, toolkit=toolkit, log=log)
    known = fence(context, label="context", nonce=toolkit.nonce) if context else ""
    background = render_earlier(earlier, nonce=toolkit.nonce) + section("What is already known", known)
    over_evidence = partial(_over_evidence, panelist, question, background, toolkit=toolkit, log=log)
    if not (capabilities.tools and toolkit.tools):
        return await over_evidence()
    # A seat's fallbacks share its log: what an earlier model retrieved, this one has not read.
    prompt, before = _prompt(question, background, "", toolkit, _tools_hint(toolkit)), len(log.sources)
    # What an earlier run settled may be all that is asked for, and is not to be looked up again.
    must_look = earlier is None and _must_look(toolkit, question)
    try:
        first = await answer_with_tools(model, prompt, panelist=panelist, toolkit=toolkit, log=log, must_look=must_look)
    except ModelCallError as failed:
        # What is listed of a model may be wrong: only its endpoint knows whether it takes tools.
        if not failed.fault.rejects("tools"):
            raise
        return await over_evidence()
    if looks_like_tool_call(first.text):
        return await over_evidence(retrieved=log.sources[before:])
    if not first.unread or _cites(first.text, earlier):
        return replace(first, unread=False)
    # An answer from memory is better than none, should the evidence not be found or the second call fail.
    log.keep_answer(first)
    return await over_evidence(first=first)


def _cites(text: str, earlier: EarlierRun | None) -> bool:
    """Return whether `text` rests on sources that an earlier run handed on."""
    return earlier is not None and not {source["id"] for source in earlier["found"]}.isdisjoint(cited_ids(text))


def _must_look(toolkit: Toolkit, question: str) -> bool:
    """Return whether a seat is told to look before it may answer: it has the web, and the question needs sources."""
    builtin = toolkit.tools[: toolkit.builtin_count]
    has_web = any(isinstance(tool, BaseTool) and tool.name in _WEB_TOOLS for tool in builtin)
    return has_web and classify(question).needs_sources


def seat_toolkit(toolkit: Toolkit, panelist: Panelist) -> Toolkit:
    """Return what a seat may use while `panelist` is its model: everything, unless the documents must stay local."""
    if not toolkit.config.documents_stay_local:
        return toolkit
    config = seat_config(toolkit.config, panelist)
    reads_documents = config.documents is not None
    # What a model has read it may put into a query: whoever reads the documents has nothing that reaches out.
    hidden = _WEB_TOOLS if reads_documents else _DOCUMENT_TOOLS
    builtin = [
        tool
        for tool in toolkit.tools[: toolkit.builtin_count]
        if not isinstance(tool, BaseTool) or tool.name not in hidden
    ]
    custom = [tool for tool in toolkit.tools[toolkit.builtin_count :] if not reads_documents or is_local_tool(tool)]
    return replace(toolkit, config=config, tools=(*builtin, *custom), builtin_count=len(builtin))


async def _over_evidence(  # noqa: PLR0913 - what is asked, of whom, and what is known already
    panelist: Panelist,
    question: str,
    background: str,
    *,
    toolkit: Toolkit,
    log: SeatLog,
    first: SeatAnswer | None = None,
    retrieved: Sequence[RetrievedSource] = (),
) -> SeatAnswer:
    """Ask for an answer over evidence that is gathered for the model.

    Args:
        panelist: The model, in its seat.
        question: The question as the seat gets it.
        background: What is already known, as sections of the prompt.
        toolkit: What the seat may use.
        log: The seat's log.
        first: An answer without evidence, which stands where none is found; `None` for none.
        retrieved: Sources that the model has retrieved itself.
    """
    gathered = await _evidence(question, _EVIDENCE, toolkit=toolkit, log=log)
    sources = list(merge_sources([*retrieved, *gathered]).values())
    if first and not sources:
        return first
    prompt = _prompt(question, background, toolkit.render_sources(sources), toolkit)

    async def call(panelist: Panelist, on_first: OnFirst | None) -> ModelReply:
        return await call_model(
            await chat_model(panelist),
            prompt,
            account=log.stage.call_context(panelist),
            deadline=log.deadline,
            on_first=on_first,
        )

    reply = await hedged_call(call, panelist, share=toolkit.config.hedge)
    if looks_like_tool_call(reply.text):
        raise ModelCallError(
            Fault("invalid_output", "it wrote a tool call in place of an answer"), reply.panelist.model_name
        )
    return SeatAnswer(reply.text, reply.panelist.model_name, reply.truncated)


async def _evidence(
    question: str, limit: int, *, toolkit: Toolkit, log: SeatLog, excerpt: int | None = None
) -> list[RetrievedSource]:
    """Gather evidence for the seat, in the time that it has; `limit` and `excerpt` as for `gather_evidence`."""
    if not toolkit.has_sources:
        return []
    try:
        async with asyncio.timeout(log.deadline - time.monotonic()):
            return await gather_evidence(question, limit, toolkit=toolkit, log=log, excerpt=excerpt)
    except TimeoutError as error:
        raise ModelCallError(Fault("timeout", "gathering evidence took longer than the seat has")) from error


def _tools_hint(toolkit: Toolkit) -> str:
    return render("panelist_tools", calls=toolkit.config.max_tool_calls) + "\n\n"


def _prompt(question: str, background: str, evidence: str, toolkit: Toolkit, hint: str = "") -> list[BaseMessage]:
    system = render("panelist", nonce=toolkit.nonce, today=datetime.now(UTC).date().isoformat(), hint=hint)
    user = render(
        "question",
        question=question,
        context=background,
        evidence=section("Evidence", evidence),
    )
    return [SystemMessage(system), HumanMessage(user)]


async def _from_claims(  # noqa: PLR0913 - what is asked, of whom, and what is known already
    model: Any, panelist: Panelist, question: str, *, earlier: EarlierRun | None, toolkit: Toolkit, log: SeatLog
) -> SeatAnswer:
    """Ask a small model for claims over the sources that are found or carried over, or plainly where none are."""
    evidence = await _evidence(question, _EVIDENCE_SMALL, toolkit=toolkit, log=log, excerpt=_EXCERPT_SMALL)
    carried = [row for row in (earlier["found"] if earlier else ()) if row["text"]][:_EVIDENCE_SMALL]
    excerpts = [
        RetrievedSource(**{**row, "text": relevant_sentences(row["text"], question, _EXCERPT_SMALL)}) for row in carried
    ]
    sources = list(merge_sources([*evidence, *excerpts]).values())
    account = log.stage.call_context(panelist)
    if not sources:
        reply = await call_model(model, [HumanMessage(question)], account=account, deadline=log.deadline)
        return SeatAnswer(reply.text, account.model, reply.truncated)
    bound = model.bind(response_format=response_format(len(sources)))
    prompt = claims_prompt(question, sources, nonce=toolkit.nonce)
    reply = await call_model(bound, prompt, account=account, deadline=log.deadline)
    text = claims_to_text(reply.text, sources)
    if text is None:
        raise ModelCallError(Fault("invalid_output", "no claim could be read from the reply"))
    return SeatAnswer(text, account.model)
