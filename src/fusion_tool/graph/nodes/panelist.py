"""`panelist`: one seat. Its model, then its fallbacks, until one gives a usable answer or the gate closes."""

import time
from typing import Any

from langgraph.runtime import Runtime

from fusion_tool.budget.ledger import Spent
from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.events import PanelistStarted
from fusion_tool.graph.agents.attempts import Attempt, first_whole_reply, models_of_role
from fusion_tool.graph.agents.panelist import answer_question
from fusion_tool.graph.agents.seat_log import SeatAnswer, SeatLog
from fusion_tool.graph.limits import LateSeatError, run_ledger, shared_gate
from fusion_tool.graph.preflight import inside_seat
from fusion_tool.graph.prompts import render
from fusion_tool.graph.resume import prior_attempts
from fusion_tool.graph.runtime import EventEmitter, GraphOptions, panelist_ended
from fusion_tool.graph.state import Failure, FusionState, SeatRecord, SeatTask
from fusion_tool.models.call import ModelCallError
from fusion_tool.models.faults import Fault, to_fault
from fusion_tool.models.health import tracker_for
from fusion_tool.tools.build import build_toolkit
from fusion_tool.tools.toolkit import Toolkit
from fusion_tool.tools.untrusted import apply_exclusions


async def panelist(task: SeatTask, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> FusionState:
    """Work one seat. Whatever goes wrong becomes its record, never an exception of the graph's."""
    config = options.config_for(runtime, task["run"])
    place = task["ask"]["seat"]
    seat, label = config.panel[place], config.seat_labels[place]
    events = EventEmitter(runtime, task["run"])
    events.emit(
        PanelistStarted(type="panelist.started", **events.stamp, seat=label, model=seat.model_name, wave=task["wave"])
    )
    gate = shared_gate(_gate_key(task, runtime), quorum=config.limits.quorum, grace_seconds=config.limits.grace_seconds)
    before = await prior_attempts(runtime)  # the gate comes first: until all have looked, all of the wave hold it
    for record in before.records:
        if record["answered"]:
            gate.record_answer(record["seat"])
    toolkit = await build_toolkit(
        config,
        key=f"{task['run']['id']}/{task['wave']}",
        nonce=task["run"]["nonce"],
        ledger=run_ledger(config, Spent(task["spent"][0], int(task["spent"][1]))),
        custom_tools=apply_exclusions(options.panel_tools, config),
    )
    budget = before.stage_budget(toolkit.ledger, "panelist", 1 / task["seats"])
    log = SeatLog(label, time.monotonic() + task["seconds"], events, budget, tracker_for(config))
    log.rows += before.unknown_calls("panelist", seat.model_name, label)
    failures: list[Failure] = []
    started, given, name = time.monotonic(), None, seat.model_name
    try:
        async with gate.admit():
            with inside_seat():
                given, name = await _first_usable(seat, task, toolkit, log, failures)
    except LateSeatError:
        failures.append(_failure(name, Fault("straggler", "late: the panel had closed")))
        given, name = log.kept_answer, log.kept_answer.model if log.kept_answer else name
    if given is not None:
        gate.record_answer(label)
    record = SeatRecord(
        run_id=task["run"]["id"],
        wave=task["wave"],
        index=place,
        seat=label,
        model=name,
        point=task["ask"]["point"],
        answered=given is not None,
        truncated=given is not None and given.truncated,
        unread=given is not None and given.unread,
        content=given.text if given else "",
        found=log.sources,
        tool_calls=log.tool_calls,
        dropped=log.dropped,
        seconds=round(time.monotonic() - started, 3),
        failures=failures,
        calls=[row.model_dump() for row in log.rows],
        spent=list(budget.spent),
    )
    events.emit(panelist_ended(record, events.stamp))
    return {"records": [record]}


async def _first_usable(
    seat: Panelist, task: SeatTask, toolkit: Toolkit, log: SeatLog, failures: list[Failure]
) -> tuple[SeatAnswer | None, str]:
    """The first full answer of the seat's models; where no model gives one, what was kept: cut off, or unread."""
    question, context = _question_for(task)

    async def ask(attempt: Attempt) -> SeatAnswer:
        log.deadline = attempt.deadline
        answer = await answer_question(attempt.panelist, question, context, toolkit=toolkit, log=log)
        if answer.unread:
            failures.append(_failure(answer.model, Fault("empty", "it did not look, and no evidence was found for it")))
        if answer.truncated:
            failures.append(_failure(answer.model, Fault("truncated", "cut off: at a token limit, or by its provider")))
            log.keep_answer(answer)
        return answer

    def note_failure(attempt: Attempt, error: Exception) -> None:
        failed = error if isinstance(error, ModelCallError) else ModelCallError(to_fault(error))
        failures.append(_failure(failed.model or attempt.panelist.model_name, failed.fault))

    answer = await first_whole_reply(
        models_of_role(seat),
        ask,
        health=log.health,
        deadline=log.deadline,
        on_failure=note_failure,
        is_whole=_is_whole,
    )
    if answer is None or answer.truncated:
        answer = (
            log.kept_answer
        )  # the best of those that are not whole: cut off, or written without a look at the sources
    return answer, answer.model if answer else seat.model_name


def _is_whole(answer: SeatAnswer) -> bool:
    return not answer.truncated


def _question_for(task: SeatTask) -> tuple[str, str]:
    """The question as this seat gets it, and what is already known; both may hold outside text, the latter fenced."""
    run, ask = task["run"], task["ask"]
    question = render("pointed_question", question=run["question"]) if ask["point"] else run["question"]
    return question, "\n\n".join(part for part in (run["context"], ask["shown"], ask["point"]) if part)


def _failure(model: str, fault: Fault) -> Failure:
    return Failure(model=model, reason=fault.reason, message=fault.message, status_code=fault.status_code)


def _gate_key(task: SeatTask, runtime: Runtime[Any]) -> str:
    # The checkpoint's id is the same for all seats of one superstep and for no other, with or without a
    # checkpointer.
    info = runtime.execution_info
    return f"{task['run']['id']}/{task['wave']}/{info.checkpoint_id if info else ''}"
