"""One judge's comparison: asked in the strictest way its endpoint takes, told once what was wrong."""

from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from fusion_tool.analysis import Comparison, InvalidAnalysis, parse, schema, shape
from fusion_tool.briefing import Briefing, room_for
from fusion_tool.budget import Tab
from fusion_tool.config import Panelist
from fusion_tool.models.call import Account, CallFailed, Reply, ask
from fusion_tool.models.factory import chat_model
from fusion_tool.models.structured import first_taken, ways_of_asking
from fusion_tool.models.traits import Traits, traits_of
from fusion_tool.prompts import render
from fusion_tool.usage import Call

_SCHEMA = "report_comparison"


@dataclass(frozen=True)
class Hearing:
    """What every judge needs: the question, the answers, until when, and the bill.

    `asks_settled` is whether it shall say if the question is settled, on which a further wave depends.
    """

    question: str
    brief: Briefing
    deadline: float
    tab: Tab
    asks_settled: bool = False
    rows: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Finding:
    """An analysis, still with letters, and whether the answers were cut to fit the judge's window."""

    analysis: Comparison
    packed: bool


async def compare(hearing: Hearing, one: Panelist) -> Finding:
    """The comparison by `one`.

    A window that is known is kept to; one that turns out too small gets half the material, once.

    Raises:
        CallFailed: It gave no reply.
        InvalidAnalysis: Neither of two replies holds an analysis.
    """
    model = await chat_model(one)
    traits = traits_of(one, model)
    account = Account("judge", one, hearing.tab, hearing.rows)
    others = len(str(_prompt(hearing, Briefing((), {}, hearing.brief.nonce), traits)))
    brief = hearing.brief.within(room_for(traits, one, others))
    try:
        return await _compare_once(model, traits, hearing, brief, account)
    except CallFailed as failed:
        if failed.fault.reason != "context_overflow":
            raise
        return await _compare_once(model, traits, hearing, brief.within(brief.size // 2), account)


async def _compare_once(model: Any, traits: Traits, hearing: Hearing, brief: Briefing, account: Account) -> Finding:
    prompt, letters = _prompt(hearing, brief, traits), list(brief.letters)
    statements = brief.statements() if traits.small else ()
    wanted = schema(letters, statements=statements, settled=hearing.asks_settled)
    ways = ways_of_asking(
        model, _SCHEMA, wanted, schema_taken=traits.json_schema, tools=traits.tools and not statements
    )
    reply, way = await first_taken(ways, lambda way: ask(way, prompt, account=account, deadline=hearing.deadline))
    try:
        return Finding(_parsed(reply), brief.packed)
    except InvalidAnalysis as error:
        said = AIMessage(reply.text or str(reply.message.tool_calls))
        correction = HumanMessage(render("judge_retry", error=error, shape=_shape(hearing, brief)))
        retried = await ask(way, [*prompt, said, correction], account=account, deadline=hearing.deadline)
        return Finding(_parsed(retried), brief.packed)


def _parsed(reply: Reply) -> Comparison:
    calls = reply.message.tool_calls
    if calls:
        return parse(calls[0]["args"])
    return parse(_whole_items(reply.text) if reply.truncated else reply.text)


def _whole_items(text: str) -> str:
    """A cut-off reply up to its last finished item; half a sentence is nobody's finding."""
    return text[: max(text.rfind(mark) for mark in ('",', "},", "],", '"]', "}]")) + 1]


def _shape(hearing: Hearing, brief: Briefing) -> str:
    return shape(list(brief.letters), settled=hearing.asks_settled)


def _prompt(hearing: Hearing, brief: Briefing, traits: Traits) -> list[BaseMessage]:
    if traits.small:
        asked = render("small_judge_answers", question=hearing.question, answers=brief.plain_answers())
        example = HumanMessage(render("small_judge_example_question")), AIMessage(render("small_judge_example_answer"))
        return [SystemMessage(render("small_judge")), *example, HumanMessage(asked)]
    asked = render("judge_answers", question=hearing.question, answers=brief.answers())
    also = render("judge_settled") + "\n" if hearing.asks_settled else ""
    system = render("judge", nonce=brief.nonce, shape=_shape(hearing, brief), also=also)
    return [SystemMessage(system), HumanMessage(asked)]
