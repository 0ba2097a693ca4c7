"""One model's answer for a seat: with tools, over evidence, or as claims.

A model too small to cite on its own still has to name a source for every claim; its server's grammar admits no
other. Sources are numbered in its prompt, since an id of eight digits is more than it can copy. Whether the source
carries the claim is for the audit to say.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import BaseModel, ConfigDict, ValidationError

from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents.seat_log import Answer, Notebook
from fusion_tool.graph.agents.tool_loop import answer_with_tools
from fusion_tool.graph.agents.written_calls import is_written_call
from fusion_tool.graph.prompts import render, section
from fusion_tool.grounding.sources import Found, merged
from fusion_tool.models.call import CallFailed, Reply, ask
from fusion_tool.models.capabilities import traits_of
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.models.hedging import OnFirst, hedged
from fusion_tool.tools.evidence import gather
from fusion_tool.tools.toolkit import Kit
from fusion_tool.tools.untrusted import fence

_MOST_CLAIMS = 2
_SENTENCE = "^[A-Z][A-Za-z0-9'-]{0,11}( [A-Za-z0-9,.%$'-]{1,14}){3,18}\\.$"
"""A plain sentence; without a pattern so small a model fills a string with anything."""


class _Claim(BaseModel):
    model_config = ConfigDict(extra="forbid")

    text: str
    source: int


def messages(question: str, found: Sequence[Found], *, nonce: str) -> list[BaseMessage]:
    """The prompt: one worked example, the numbered sources, the question.

    Args:
        question: The question.
        found: The sources, the best first.
        nonce: The token of the run's fences.
    """
    numbered = "\n".join(f"[{n}] {' '.join(one['text'].split())}" for n, one in enumerate(found, start=1))
    return [
        SystemMessage(render("small_panelist")),
        HumanMessage(render("small_example_question")),
        AIMessage(render("small_example_answer")),
        HumanMessage(
            render("small_question", question=question, evidence=fence(numbered, label="sources", nonce=nonce))
        ),
    ]


def response_format(count: int) -> dict[str, Any]:
    """OpenAI's `response_format` for 1 or 2 claims over `count` numbered sources."""
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


def as_text(reply: str, found: Sequence[Found]) -> str | None:
    """The claims of a reply as lines with citations by id; `None` where it holds none.

    Of a reply that was cut off at its token limit the whole claims are kept.
    """
    import json_repair

    value = json_repair.loads(reply)
    rows = value.get("claims") if isinstance(value, dict) else None
    listed = rows if isinstance(rows, list) else []
    whole = [claim for row in listed if (claim := _whole(row)) and 1 <= claim.source <= len(found)]
    lines = [f"- {' '.join(claim.text.split())} [{found[claim.source - 1]['id']}]" for claim in whole]
    return "\n".join(dict.fromkeys(lines)) or None


def _whole(row: Any) -> _Claim | None:
    try:
        return _Claim.model_validate(row)
    except ValidationError:
        return None


_EVIDENCE, _EVIDENCE_SMALL = 8, 3
"""Sources handed to a model that cannot look for itself."""
_EXCERPT_SMALL = 330
"""Characters of each source for a model with little context."""


async def answer(panelist: Panelist, question: str, context: str, *, kit: Kit, book: Notebook) -> Answer:
    """Ask `panelist` the question; once more, over evidence, where it did not look at the sources that there are.

    Raises:
        CallFailed: It gave no usable answer, or none over evidence; what it cost, and the first, stand in `book`.
    """
    kit = kit.for_seat(panelist)
    model = await chat_model(panelist)
    traits = traits_of(panelist, model)
    if traits.small:
        return await _from_claims(model, panelist, question, kit=kit, book=book)
    known = fence(context, label="context", nonce=kit.nonce) if context else ""
    over_evidence = partial(_over_evidence, panelist, question, known, kit=kit, book=book)
    if not (traits.tools and kit.tools):
        return await over_evidence()
    asked, before = _prompt(question, known, "", kit, _tools_hint(kit)), len(book.found)
    try:
        first = await answer_with_tools(model, asked, panelist=panelist, kit=kit, book=book)
    except CallFailed as failed:
        if not failed.fault.objects_to("tool", "function"):
            raise
        return await over_evidence()
    if is_written_call(first.text, kit.tool_names):
        return await over_evidence(seen=book.found[before:])
    if not first.unread:
        return first
    book.keep(first)
    return await over_evidence(first=first)


async def _over_evidence(  # noqa: PLR0913 - what is asked, of whom, and what is known already
    panelist: Panelist,
    question: str,
    known: str,
    *,
    kit: Kit,
    book: Notebook,
    first: Answer | None = None,
    seen: Sequence[Found] = (),
) -> Answer:
    """The answer over evidence, and over what was `seen` before; where none is found, `first` stands."""
    found = list(merged([*seen, *await _evidence(question, _EVIDENCE, kit=kit, book=book)]).values())
    if first and not found:
        return first
    asked = _prompt(question, known, kit.shown(found), kit)

    async def asking(one: Panelist, on_first: OnFirst | None) -> Reply:
        return await ask(
            await chat_model(one), asked, account=book.account(one), deadline=book.deadline, on_first=on_first
        )

    reply = await hedged(asking, panelist, share=kit.config.hedge)
    if is_written_call(reply.text, kit.tool_names):
        raise CallFailed(
            Fault("invalid_output", "it wrote a tool call in place of an answer"), reply.panelist.model_name
        )
    return Answer(reply.text, reply.panelist.model_name, reply.truncated)


async def _evidence(question: str, limit: int, *, kit: Kit, book: Notebook, excerpt: int | None = None) -> list[Found]:
    """What is gathered for the seat, in the time that it has."""
    try:
        async with asyncio.timeout(book.deadline - time.monotonic()):
            return await gather(question, limit, kit=kit, log=book, excerpt=excerpt)
    except TimeoutError as error:
        raise CallFailed(Fault("timeout", "gathering evidence took longer than the seat has")) from error


def _tools_hint(kit: Kit) -> str:
    return render("panelist_tools", calls=kit.config.max_tool_calls)


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
    found = await _evidence(question, _EVIDENCE_SMALL, kit=kit, book=book, excerpt=_EXCERPT_SMALL)
    account = book.account(panelist)
    if not found:
        reply = await ask(model, [HumanMessage(question)], account=account, deadline=book.deadline)
        return Answer(reply.text, account.model, reply.truncated)
    bound = model.bind(response_format=response_format(len(found)))
    prompt = messages(question, found, nonce=kit.nonce)
    reply = await ask(bound, prompt, account=account, deadline=book.deadline)
    text = as_text(reply.text, found)
    if text is None:
        raise CallFailed(Fault("invalid_output", "no claim could be read from the reply"))
    return Answer(text, account.model)
