"""One synthesizer's attempt at the answer: packed to its window, streamed where somebody listens."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from fusion_tool.budget.ledger import Tab
from fusion_tool.budget.usage import Call
from fusion_tool.config.schema import Panelist
from fusion_tool.graph.agents import panelist
from fusion_tool.graph.agents.answers import Briefing, room_for
from fusion_tool.graph.prompts import render, section
from fusion_tool.graph.runtime import Progress
from fusion_tool.graph.state import Run
from fusion_tool.grounding.citations import CitationStream, renumber_json
from fusion_tool.models.call import Account, CallFailed, ask
from fusion_tool.models.capabilities import first_taken, traits_of, ways_of_asking
from fusion_tool.models.factory import chat_model
from fusion_tool.models.faults import Fault
from fusion_tool.tools.untrusted import fence


@dataclass(frozen=True)
class Task:
    """What every attempt needs: run, analysis (`None` where there is none), answers, until when, and the bill."""

    run: Run
    analysis: dict[str, Any] | None
    brief: Briefing
    deadline: float
    tab: Tab
    progress: Progress
    rows: list[Call] = field(default_factory=list)


@dataclass(frozen=True)
class Written:
    """An attempt's text, whether it was cut off at its token limit, and whether the answers were cut to fit."""

    text: str
    truncated: bool = False
    packed: bool = False


class Deltas:
    """One attempt's stream: ids become numbers on the way, and what was never retrieved is dropped."""

    def __init__(self, task: Task, attempt: int) -> None:
        self._progress, self._attempt = task.progress, attempt
        self._sources, self._is_json = task.brief.sources, task.run["answer_schema"] is not None
        self._stream = CitationStream(self._sources)

    def feed(self, text: str) -> None:
        """Pass on a piece of raw text."""
        self._emit(self._stream.feed(text))

    def whole(self, text: str) -> None:
        """Pass on all of a text that did not stream, or nothing but the end of one that did."""
        if self._progress.is_watched:
            self._emit(renumber_json(text, self._sources).text if self._is_json else self._stream.feed(text))
            self._emit(self._stream.close())

    def _emit(self, text: str) -> None:
        if text:
            self._progress.emit("synthesis.delta", text=text, attempt=self._attempt)


async def write(task: Task, one: Panelist, attempt: int) -> Written:
    """The answer by `one`.

    A window that is known is kept to; one that turns out too small gets half the material, once.

    Raises:
        CallFailed: It gave none.
    """
    model = await chat_model(one)
    traits = traits_of(one, model)
    account = Account("synthesizer", one, task.tab, task.rows)
    if traits.small and not task.run["answer_schema"]:
        text = await _write_claims(model, task, account)
        Deltas(task, attempt).whole(text)
        return Written(text)
    others = len(str(_prompt(task, Briefing((), {}, task.brief.nonce))))
    brief = task.brief.within(room_for(traits, one, others))
    try:
        return await _write_once(model, task, brief, account, attempt)
    except CallFailed as failed:
        if failed.fault.reason != "context_overflow":
            raise
        return await _write_once(model, task, brief.within(brief.size // 2), account, attempt)


async def _write_once(model: Any, task: Task, brief: Briefing, account: Account, attempt: int) -> Written:
    prompt, deltas = _prompt(task, brief), Deltas(task, attempt)
    wanted = task.run["answer_schema"]
    on_delta = deltas.feed if task.progress.is_watched and not wanted else None
    ways = ways_of_asking(model, "answer", wanted, schema_taken=None, tools=False) if wanted else [model]
    reply, _ = await first_taken(
        ways, lambda way: ask(way, prompt, account=account, deadline=task.deadline, on_delta=on_delta)
    )
    deltas.whole(reply.text if wanted else "")
    return Written(reply.text, reply.truncated, brief.packed)


async def _write_claims(model: Any, task: Task, account: Account) -> str:
    """A small model's answer: claims over the panel's own claims, each of which carries its source on."""
    notes, question = task.brief.notes(), task.run["question"]
    if not notes:
        plain = [HumanMessage(f"{task.brief.plain_answers()}\n\nQuestion: {question}")]
        return (await ask(model, plain, account=account, deadline=task.deadline)).text
    bound = model.bind(response_format=panelist.response_format(len(notes)))
    prompt = panelist.messages(question, notes, nonce=task.brief.nonce)
    reply = await ask(bound, prompt, account=account, deadline=task.deadline)
    text = panelist.as_text(reply.text, notes)
    if text is None:
        raise CallFailed(Fault("invalid_output", "no claim could be read from the reply"))
    return text


def _prompt(task: Task, brief: Briefing) -> list[BaseMessage]:
    context, nonce = task.run["context"], brief.nonce
    compared = "There is none." if task.analysis is None else json.dumps(task.analysis, ensure_ascii=False, indent=1)
    material = render(
        "synthesizer_material",
        question=task.run["question"],
        context=section(
            "What the asker already knows", fence(context, label="context", nonce=nonce) if context else ""
        ),
        answers=brief.answers(),
        analysis=fence(compared, label="comparison", nonce=nonce),
    )
    today = datetime.now(UTC).date().isoformat()
    system = render("synthesizer", nonce=nonce, today=today, wishes=_wishes(task.run))
    return [SystemMessage(system), HumanMessage(material)]


def _wishes(run: Run) -> str:
    """How the caller wants the answer, which is its to say: it is not outside text."""
    form = render("answer_schema", schema=json.dumps(run["answer_schema"])) if run["answer_schema"] else ""
    wishes = render("instructions", instructions=run["instructions"]) if run["instructions"] else ""
    return "".join(f"\n\n{part}" for part in (wishes, form) if part)
