"""One model's answer for a seat: with tools where it can call them, else over evidence gathered first."""

from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_tool import claims
from fusion_tool.config import Panelist
from fusion_tool.models.call import CallFailed, Reply, ask
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedge import OnFirst, hedged
from fusion_tool.models.traits import traits_of
from fusion_tool.panel_tools import Kit, gather
from fusion_tool.prompts import fence, render, section
from fusion_tool.seat.agent import answer_with_tools
from fusion_tool.seat.notebook import Answer, Notebook

_EVIDENCE, _EVIDENCE_SMALL = 8, 3
"""Sources handed to a model that cannot look for itself."""
_EXCERPT_SMALL = 330
"""Characters of each source for a model with little context."""


async def answer(panelist: Panelist, question: str, context: str, *, kit: Kit, book: Notebook) -> Answer:
    """Ask `panelist` the question.

    Raises:
        CallFailed: It gave no usable answer; what it cost stands in `book`.
    """
    kit = kit.for_seat(panelist)
    model = await chat_model(panelist)
    traits = traits_of(panelist, model)
    if traits.small:
        return await _from_claims(model, panelist, question, kit=kit, book=book)
    known = fence(context, label="context", nonce=kit.nonce) if context else ""
    if traits.tools and kit.tools:
        try:
            asked = _prompt(question, known, "", kit, render("panelist_tools", calls=kit.config.max_tool_calls))
            return await answer_with_tools(model, asked, panelist=panelist, kit=kit, book=book)
        except CallFailed as failed:
            if not failed.fault.objects_to("tool", "function"):
                raise
    found = await gather(question, _EVIDENCE, kit=kit, log=book)
    asked = _prompt(question, known, kit.shown(found), kit)

    async def asking(one: Panelist, on_first: OnFirst | None) -> Reply:
        return await ask(
            await chat_model(one), asked, account=book.account(one), deadline=book.deadline, on_first=on_first
        )

    reply = await hedged(asking, panelist, share=kit.config.hedge)
    return Answer(reply.text, reply.panelist.model_name, reply.truncated)


def _prompt(question: str, known: str, evidence: str, kit: Kit, hint: str = "") -> list[BaseMessage]:
    system = render("panelist", nonce=kit.nonce, today=datetime.now(UTC).date().isoformat())
    asked = render(
        "question",
        question=question,
        context=section("What is already known", known),
        evidence=section("Evidence", evidence),
    )
    return [SystemMessage(f"{system}\n\n{hint}".strip()), HumanMessage(asked)]


async def _from_claims(model: Any, panelist: Panelist, question: str, *, kit: Kit, book: Notebook) -> Answer:
    """A small model's answer: a short prompt, and claims over the sources that were found."""
    found = await gather(question, _EVIDENCE_SMALL, kit=kit, log=book, excerpt=_EXCERPT_SMALL)
    account = book.account(panelist)
    if not found:
        reply = await ask(model, [HumanMessage(question)], account=account, deadline=book.deadline)
        return Answer(reply.text, account.model, reply.truncated)
    bound = model.bind(response_format=claims.response_format(len(found)))
    prompt = claims.messages(question, found, nonce=kit.nonce)
    reply = await ask(bound, prompt, account=account, deadline=book.deadline)
    text = claims.as_text(reply.text, found)
    if text is None:
        raise CallFailed(Fault("invalid_output", "no claim could be read from the reply"))
    return Answer(text, account.model)
