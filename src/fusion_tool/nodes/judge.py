"""`judge`: compare the usable answers. Whatever fails here costs the analysis, never the answers."""

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from langgraph.runtime import Runtime

from fusion_tool.analysis import InvalidAnalysis, named, parse, reply_modes, shape
from fusion_tool.briefing import Briefing, briefing, own_records
from fusion_tool.budget import Tab
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.errors import PanelFailed
from fusion_tool.models import Account, CallFailed, Reply, ask, chat_model, traits_of
from fusion_tool.models.factory import fallback_of
from fusion_tool.models.faults import scrub
from fusion_tool.prompts import render
from fusion_tool.result import Analysis
from fusion_tool.state import FusionState, SeatRecord, StageRecord
from fusion_tool.usage import Call, Usage
from fusion_tool.wiring import Progress, Wiring, deadline, ledger_after, limits_reached, seconds_worked

_log = logging.getLogger(__name__)


async def judge(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> FusionState:
    """Close the panel and compare its answers.

    Raises:
        PanelFailed: Fewer than `limits.min_answers` seats gave a usable answer.
    """
    config, records, brief = wiring.settings(runtime, state["run"]), own_records(state), briefing(state)
    progress = Progress(runtime, state["run"])
    answered = len(brief.records)
    progress.emit("panel.closed", answered=answered, failed=len(records) - answered)
    if answered < config.limits.min_answers:
        raise _panel_failed(records)
    if config.strategy == "solo" or answered == 1:  # nothing to compare
        return {"judgement": StageRecord(output=None, calls=[], spent=[0.0, 0], seconds=0.0, degraded=[])}
    started = time.monotonic()
    tab = Tab(ledger_after(config, records), "judge")
    until = deadline(config, "judge", seconds_worked(records))
    hearing = _Hearing(state["run"]["question"], brief, until, tab)
    analysis = await _compare(hearing, config.judge_or_default)
    progress.emit(
        "judge.completed",
        consensus=len(analysis.consensus) if analysis else None,
        contradictions=len(analysis.contradictions) if analysis else None,
    )
    return {
        "judgement": StageRecord(
            output=named(analysis, brief.names).model_dump() if analysis else None,
            calls=[row.model_dump() for row in hearing.rows],
            spent=list(tab.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=[] if analysis else ["analysis_unavailable", *limits_reached(tab, hearing.deadline)],
        )
    }


@dataclass(frozen=True)
class _Hearing:
    """What every call of this stage needs: the question, the answers, until when, and the bill."""

    question: str
    brief: Briefing
    deadline: float
    tab: Tab
    rows: list[Call] = field(default_factory=list)

    @property
    def letters(self) -> list[str]:
        return list(self.brief.letters)


async def _compare(hearing: _Hearing, judge_: Panelist) -> Analysis | None:
    """The analysis by the judge or, where it gives none, by its fallbacks."""
    for name in (judge_.model, *judge_.fallbacks):
        try:
            return await _analysis_by(fallback_of(judge_, name), hearing)
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no judge may lose them
            _log.warning("the judge %s gave no analysis: %s", name, scrub(str(error)))
    return None


async def _analysis_by(one: Panelist, hearing: _Hearing) -> Analysis:
    """One model's analysis, with one retry that tells it what was wrong.

    Raises:
        CallFailed: It gave no reply.
        InvalidAnalysis: Neither reply holds an analysis.
    """
    model = await chat_model(one)
    traits = traits_of(one, model)
    account = Account("judge", one.model_name, hearing.tab, hearing.rows, max_tokens=one.max_tokens)
    prompt = _prompt(hearing, small=traits.small)
    modes = reply_modes(model, hearing.letters, schema_taken=traits.json_schema, tools=traits.tools, small=traits.small)
    reply, mode = await _reply(modes, prompt, account, hearing.deadline)
    try:
        return _parsed(reply)
    except InvalidAnalysis as error:
        said = AIMessage(reply.text or str(reply.message.tool_calls))
        correction = HumanMessage(render("judge_retry", error=error, shape=shape(hearing.letters)))
        return _parsed(await ask(mode, [*prompt, said, correction], account=account, deadline=hearing.deadline))


async def _reply(
    modes: list[Any], prompt: list[BaseMessage], account: Account, until: float
) -> tuple[Reply, Runnable[Any, AIMessage]]:
    """The first reply in a mode that the model's endpoint takes: JSON schema, function call, prose."""
    for mode in modes[:-1]:
        try:
            return await ask(mode, prompt, account=account, deadline=until), mode
        except CallFailed as failed:
            if not _refuses_mode(failed):
                raise
    return await ask(modes[-1], prompt, account=account, deadline=until), modes[-1]


def _refuses_mode(failed: CallFailed) -> bool:
    """Whether the endpoint objects to the way of asking, not to the question."""
    said = failed.fault.message.lower()
    words = ("response_format", "schema", "json", "tool", "function", "support", "parameter")
    return failed.fault.status_code in (400, 404, 415, 422, 501) and any(word in said for word in words)


def _parsed(reply: Reply) -> Analysis:
    calls = reply.message.tool_calls
    return parse(calls[0]["args"] if calls else reply.text)


def _prompt(hearing: _Hearing, *, small: bool) -> list[BaseMessage]:
    brief, question = hearing.brief, hearing.question
    if small:
        asked = render("small_judge_answers", question=question, answers=brief.plain_answers())
        example = HumanMessage(render("small_judge_example_question")), AIMessage(render("small_judge_example_answer"))
        return [SystemMessage(render("small_judge")), *example, HumanMessage(asked)]
    asked = render("judge_answers", question=question, answers=brief.answers())
    system = render("judge", nonce=brief.nonce, shape=shape(hearing.letters))
    return [SystemMessage(system), HumanMessage(asked)]


def _panel_failed(records: list[SeatRecord]) -> PanelFailed:
    rows = [{"seat": record["seat"], **failure} for record in records for failure in record["failures"]]
    calls = [Call.model_validate(call) for record in records for call in record["calls"]]
    return PanelFailed(rows, Usage.of(calls).model_dump())
