"""A model's trial, short calls: is a tool called without being named, and is the source of an answer cited?

It is asked as a seat is, with a seat's own prompts: many a model does what one sentence tells it, not what eight do.
So one that does not cite, which a seat asks for claims, is tried with that seat's one sentence too.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeAlias

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_tool.budget.ledger import Ledger, StageBudget
from fusion_tool.config.schema import Panelist
from fusion_tool.config.system import utc_day
from fusion_tool.graph.prompts import render, section
from fusion_tool.grounding.citations import cited_ids
from fusion_tool.models.abilities import Abilities, remember_abilities
from fusion_tool.models.call import CallContext, ModelCallError, ModelReply, call_model
from fusion_tool.models.factory import chat_model
from fusion_tool.models.speed import assumed_speed, known_speed, load_speed
from fusion_tool.models.written_calls import make_written_calls
from fusion_tool.tools.builtin import search_documents
from fusion_tool.tools.untrusted import fence

Ask: TypeAlias = Callable[[Any, Sequence[BaseMessage]], Awaitable[ModelReply]]
"""Calls a model, tools bound or not, with a prompt."""

TRIAL_READ, TRIAL_WRITTEN = 2 * 1000 + 400, 3 * 120
TRIAL_TOKENS = TRIAL_READ + TRIAL_WRITTEN
"""About as many tokens as its calls take together, the short third one among them."""
_SPARE = 6.0
"""How much longer than expected it may take: it ends what stands still, not what a busy machine makes slow."""
# Without chance: the outcome stands for every later run.
_OPTIONS = {"max_tokens": 120, "temperature": 0}
_TOOL_CALLS = 4
_NEEDS_TOOL = "How long did the second test run of the Brook turbine take, and what ended it?"
_NEEDS_CITATION = "When was the Alder mill built, and what happened to it in 1904?"
CITED, OTHER = "b07d55e1", "3f2a91c4"
_SOURCES = {
    f"source [{OTHER}] Harbour": (
        "The harbour of Brook was opened in 1911. It was widened twice, the second time in 1954, when the lighthouse "
        "was moved. About 40 boats use it today."
    ),
    f"source [{CITED}] Mill": (
        "The Alder mill was built in 1861 by the brothers Reed. A fire destroyed its roof in 1904, and it stood empty "
        "until 1921. Since then it has been a museum."
    ),
}


async def try_model(model: Any, ask: Ask) -> Abilities:
    """Try a model.

    Args:
        model: A chat model.
        ask: Makes each call.

    Raises:
        ModelCallError: A call failed, so that nothing is known; a refusal of tools is an outcome.
    """
    # A model whose file has no place for tools need not be asked for a call.
    may_call = (getattr(model, "profile", None) or {}).get("tool_calling") is not False
    hint = render("panelist_tools", calls=_TOOL_CALLS) + "\n\n"
    whole = _prompt(_NEEDS_TOOL, secrets.token_hex(6), hint=hint)
    calls_tools = may_call and await _calls_tool(model, ask, whole)
    nonce = secrets.token_hex(6)
    evidence = "\n\n".join(fence(text, label=label, nonce=nonce) for label, text in _SOURCES.items())
    reply = await ask(model.bind(**_OPTIONS), _prompt(_NEEDS_CITATION, nonce, evidence=section("Evidence", evidence)))
    cites = set(cited_ids(reply.text)) == {CITED}
    if may_call and not (calls_tools or cites):
        short = [SystemMessage(render("small_tools")), HumanMessage(_NEEDS_TOOL)]
        calls_tools = await _calls_tool(model, ask, short)
    return Abilities(calls_tools, cites)


async def _calls_tool(model: Any, ask: Ask, prompt: list[BaseMessage]) -> bool:
    try:
        reply = await ask(model.bind_tools([search_documents]).bind(**_OPTIONS), prompt)
    except ModelCallError as failed:
        if failed.fault.rejects("tools"):
            return False
        raise
    return bool(make_written_calls(reply, [search_documents.name], prompt).message.tool_calls)


def _prompt(question: str, nonce: str, *, evidence: str = "", hint: str = "") -> list[BaseMessage]:
    system = render("panelist", nonce=nonce, today=utc_day(), hint=hint)
    return [SystemMessage(system), HumanMessage(render("question", question=question, context="", evidence=evidence))]


async def try_local_model(name: str) -> Abilities:
    """Try a local model, and remember what it did.

    Args:
        name: As after `local:`.

    Raises:
        ConfigError: It cannot be served.
        ModelCallError: A call failed; nothing is remembered.
    """
    panelist = Panelist(model=f"local:{name}")
    budget = StageBudget(Ledger(usd=None, tokens=None), "panelist")
    account = CallContext("trial", panelist, budget=budget, rows=[])
    await asyncio.to_thread(load_speed, panelist)
    speed = known_speed(panelist) or assumed_speed(panelist)
    deadline = time.monotonic() + _SPARE * speed.seconds(TRIAL_READ, TRIAL_WRITTEN)
    ask = partial(call_model, account=account, deadline=deadline)
    abilities = await try_model(await chat_model(panelist), ask)
    await remember_abilities(panelist, abilities)
    return abilities
