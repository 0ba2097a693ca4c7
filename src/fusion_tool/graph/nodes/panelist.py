"""`panelist`: one seat. Its model, then its fallbacks, until one gives a usable answer or the gate closes."""

import time
from functools import partial

from langgraph.runtime import Runtime

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.events import PanelistStarted
from fusion_tool.graph.agents.attempts import CUT_OFF, Attempt, first_whole_reply, models_of_role, to_failure
from fusion_tool.graph.agents.panelist import SeatQuestion, answer_question
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.graph.answer_stream import leave_message_stream
from fusion_tool.graph.limits import LateSeatError
from fusion_tool.graph.preflight import mark_seat
from fusion_tool.graph.progress import panelist_ended
from fusion_tool.graph.prompts import render
from fusion_tool.graph.runtime import GraphOptions, SeatStage
from fusion_tool.graph.state import FusionState, SeatRecord, SeatTask
from fusion_tool.models.faults import Fault
from fusion_tool.routing.policy.documents import may_read_earlier
from fusion_tool.tools.build import build_toolkit
from fusion_tool.tools.toolkit import Toolkit
from fusion_tool.tools.untrusted import apply_exclusions


async def panelist(task: SeatTask, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> FusionState:
    """Work one seat. Whatever goes wrong becomes its record, never an exception of the graph's."""
    mark_seat()
    leave_message_stream()
    stage = await SeatStage.for_seat(options, task, runtime)
    panelist = stage.config.panel[task["ask"]["seat"]]
    stage.events.emit(
        PanelistStarted(
            type="panelist.started",
            **stage.events.stamp,
            seat=stage.seat,
            model=panelist.model_name,
            wave=task["wave"],
        )
    )
    toolkit = await build_toolkit(
        stage.config,
        key=f"{task['run']['id']}/{task['wave']}",
        nonce=task["run"]["nonce"],
        custom_tools=apply_exclusions(options.panel_tools, stage.config),
    )
    log, started = SeatLog(stage, stage.deadline), time.monotonic()
    try:
        # Only the work itself: the record below must be written whatever becomes of the seat.
        async with stage.wave.gate.admit():
            answer = await _first_usable(panelist, _question(task, panelist, toolkit, log))
    except LateSeatError:
        log.failures.append(to_failure(panelist.model_name, Fault("straggler", "late: the panel had closed")))
        answer = log.kept_answer
    if answer is not None:
        stage.wave.gate.record_answer(stage.seat)
    record = _record(task, log, answer, model=answer.model if answer else panelist.model_name, started=started)
    stage.events.tell(panelist_ended, record, stage.config)
    return {"records": [record]}


def _record(task: SeatTask, log: SeatLog, answer: SeatAnswer | None, *, model: str, started: float) -> SeatRecord:
    return SeatRecord(
        run_id=task["run"]["id"],
        wave=task["wave"],
        index=task["ask"]["seat"],
        seat=log.stage.seat,
        model=model,
        point=task["ask"]["point"],
        answered=answer is not None,
        truncated=answer is not None and answer.truncated,
        unread=answer is not None and answer.unread,
        spoiled=answer.spoiled if answer else "",
        content=answer.text if answer else "",
        found=log.sources,
        tool_calls=log.tool_calls,
        dropped=log.dropped,
        searches=log.searches,
        evidence_cut=log.is_cut,
        tool_failures=log.tool_failures,
        seconds=round(time.monotonic() - started, 3),
        failures=log.failures,
        calls=[row.model_dump() for row in log.stage.calls],
        spent=list(log.stage.budget.spent),
    )


async def _first_usable(seat: Panelist, question: SeatQuestion) -> SeatAnswer | None:
    """Return the first full answer of the seat's models; else the one that was kept, cut off or unread."""
    log = question.log
    answer = await first_whole_reply(
        models_of_role(seat),
        partial(_ask, question),
        run_id=log.stage.events.run_id,
        health=log.stage.health,
        deadline=log.deadline,
        most_seconds=log.stage.config.limits.seat_seconds,
        on_failure=partial(_note_failure, log),
        is_whole=_is_whole,
    )
    # Of those that are not whole the log knows the best: cut off, or written without a look at the sources.
    return log.kept_answer if answer is None or answer.truncated else answer


async def _ask(question: SeatQuestion, attempt: Attempt) -> SeatAnswer:
    log = question.log
    log.deadline = attempt.deadline
    answer = await answer_question(attempt.panelist, question)
    if answer.unread:
        unread = Fault("empty", "it did not look, and no evidence was found for it")
        log.failures.append(to_failure(answer.model, unread))
    if answer.spoiled:
        log.failures.append(to_failure(answer.model, Fault("invalid_output", answer.spoiled)))
    if answer.truncated:
        log.failures.append(to_failure(answer.model, CUT_OFF))
        log.keep_answer(answer)
    return answer


def _note_failure(log: SeatLog, attempt: Attempt, error: Exception) -> None:
    log.failures.append(to_failure(attempt.panelist.model_name, error))


def _is_whole(answer: SeatAnswer) -> bool:
    return not answer.truncated


def _question(task: SeatTask, seat: Panelist, toolkit: Toolkit, log: SeatLog) -> SeatQuestion:
    """Return the question as this seat gets it, and what is already known, which is to be fenced."""
    run, ask, earlier = task["run"], task["ask"], task["run"].get("earlier")
    if earlier and not may_read_earlier(log.stage.config, seat, from_documents=earlier["from_documents"]):
        earlier = None
    text = render("pointed_question", question=run["question"]) if ask["point"] else run["question"]
    context = "\n\n".join(part for part in (run["context"], ask["shown"], ask["point"]) if part)
    return SeatQuestion(text, context, earlier, toolkit, log)
