"""`synthesize`: write one answer from the panel's answers and their comparison."""

import json
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime

from fusion_tool import claims
from fusion_tool.briefing import Briefing, briefing, own_records, seat_audit
from fusion_tool.budget import Tab
from fusion_tool.config import FusionConfig, Panelist
from fusion_tool.grounding.stream import CitationStream
from fusion_tool.models import Account, CallFailed, ask, chat_model, traits_of
from fusion_tool.models.factory import fallback_of
from fusion_tool.models.faults import Fault, scrub
from fusion_tool.prompts import fence, render, section
from fusion_tool.state import FusionState, SeatRecord, StageRecord
from fusion_tool.usage import Call
from fusion_tool.wiring import Progress, Wiring, deadline, ledger_after, limits_reached, seconds_worked

_log = logging.getLogger(__name__)


async def synthesize(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> FusionState:
    """The answer's raw text: by the synthesizer, its fallbacks, the judge's model, else the best panel answer."""
    config, brief = wiring.settings(runtime, state["run"]), briefing(state)
    progress, started, rows = Progress(runtime, state["run"]), time.monotonic(), list[Call]()
    until = deadline(config, "synthesizer", seconds_worked(own_records(state), state["judgement"]))
    tab = Tab(
        ledger_after(config, [*own_records(state), *([state["judgement"]] if state["judgement"] else [])]),
        "synthesizer",
    )
    text, kept, attempt = None, None, 0
    candidates = [] if config.strategy == "solo" else list(_candidates(config))
    for attempt, one in enumerate(candidates, start=1):
        deltas = _Deltas(progress, brief, attempt)
        try:
            account = Account("synthesizer", one.model_name, tab, rows, max_tokens=one.max_tokens)
            written, truncated = await _write(state, one, account, until, deltas)
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no synthesizer may lose them
            _log.warning("the synthesizer %s gave no answer: %s", one.model_name, scrub(str(error)))
            continue
        if not truncated:
            text = written
            break
        kept = kept or written
    degraded = []
    if text is None:
        text = kept or max(brief.records, key=_standing)["content"]
        _Deltas(progress, brief, attempt + 1).whole(text)
        if candidates:
            degraded = ["synthesis_unavailable", *limits_reached(tab, until)]
    return {
        "synthesis": StageRecord(
            output=text,
            calls=[row.model_dump() for row in rows],
            spent=list(tab.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=degraded,
        )
    }


class _Deltas:
    """The answer's stream: ids become numbers on the way, and what was never retrieved is dropped."""

    def __init__(self, progress: Progress, brief: Briefing, attempt: int) -> None:
        self.brief = brief
        self._progress, self._attempt = progress, attempt
        self._stream = CitationStream(brief.sources)

    @property
    def wanted(self) -> bool:
        return self._progress.is_watched

    def feed(self, text: str) -> None:
        self._emit(self._stream.feed(text))

    def close(self) -> None:
        self._emit(self._stream.close())

    def whole(self, text: str) -> None:
        if self.wanted:
            self.feed(text)
            self.close()

    def _emit(self, text: str) -> None:
        if text:
            self._progress.emit("synthesis.delta", text=text, attempt=self._attempt)


async def _write(
    state: FusionState, one: Panelist, account: Account, until: float, deltas: _Deltas
) -> tuple[str, bool]:
    """One model's answer, and whether it was cut off at its token limit.

    Raises:
        CallFailed: It gave none.
    """
    model = await chat_model(one)
    traits = traits_of(one, model)
    if traits.small:
        text = await _write_claims(model, state["run"]["question"], deltas.brief, account, until)
        deltas.whole(text)
        return text, False
    prompt = _prompt(state, deltas.brief)
    if not deltas.wanted:
        reply = await ask(model, prompt, account=account, deadline=until)
        return reply.text, reply.truncated
    reply = await ask(model, prompt, account=account, deadline=until, on_delta=deltas.feed)
    deltas.close()
    return reply.text, reply.truncated


async def _write_claims(model: Any, question: str, brief: Briefing, account: Account, until: float) -> str:
    """A small model's answer: claims over the panel's own claims, each of which carries its source on."""
    notes = brief.notes()
    if not notes:
        prompt = [HumanMessage(f"{brief.plain_answers()}\n\nQuestion: {question}")]
        return (await ask(model, prompt, account=account, deadline=until)).text
    bound = model.bind(response_format=claims.response_format(len(notes)))
    reply = await ask(bound, claims.messages(question, notes, nonce=brief.nonce), account=account, deadline=until)
    text = claims.as_text(reply.text, notes)
    if text is None:
        raise CallFailed(Fault("invalid_output", "no claim could be read from the reply"))
    return text


def _prompt(state: FusionState, brief: Briefing) -> list[BaseMessage]:
    judgement = state["judgement"]
    analysis = judgement["output"] if judgement else None
    compared = "There is none." if analysis is None else json.dumps(analysis, ensure_ascii=False, indent=1)
    context = state["run"]["context"]
    known = fence(context, label="context", nonce=brief.nonce) if context else ""
    material = render(
        "synthesizer_material",
        question=state["run"]["question"],
        context=section("What the asker already knows", known),
        answers=brief.answers(),
        analysis=fence(compared, label="comparison", nonce=brief.nonce),
    )
    today = datetime.now(UTC).date().isoformat()
    return [SystemMessage(render("synthesizer", nonce=brief.nonce, today=today)), HumanMessage(material)]


def _candidates(config: FusionConfig) -> Iterator[Panelist]:
    """Who may write, in order; the judge's model last, since it has read the answers."""
    seen = set()
    writer, judge = config.synthesizer_or_default, config.judge_or_default
    for owner, name in ((writer, writer.model), *((writer, name) for name in writer.fallbacks), (judge, judge.model)):
        one = fallback_of(owner, name)
        if one.model_name not in seen:
            seen.add(one.model_name)
            yield one


def _standing(record: SeatRecord) -> tuple[int, int]:
    """How well an answer's own citations hold, then its length: the best-supported answer stands in."""
    counts = seat_audit(record)
    return counts["supported"] - counts["mismatch"] - counts["unknown"], len(record["content"])
