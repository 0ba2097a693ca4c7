"""`panelist`: one seat. Its model, then its fallbacks, until one gives a usable answer or the gate closes."""

import time
from typing import Any

from langgraph.runtime import Runtime

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.panelist import answer
from fusion_tool.graph.agents.seat_log import Answer, Notebook
from fusion_tool.graph.limits import LateSeat, fair_part, gate_of, session_ledger
from fusion_tool.graph.preflight import seat_at_work
from fusion_tool.graph.prompts import render
from fusion_tool.graph.resume import earlier
from fusion_tool.graph.runtime import Progress, Wiring, ending
from fusion_tool.graph.state import Failure, FusionState, SeatRecord, SeatTask
from fusion_tool.models import health
from fusion_tool.models.call import CallFailed
from fusion_tool.models.faults import Fault, fault_of
from fusion_tool.models.providers import fallback_of
from fusion_tool.tools.build import open_kit
from fusion_tool.tools.toolkit import Kit
from fusion_tool.tools.untrusted import with_exclusions


async def panelist(task: SeatTask, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> FusionState:
    """Work one seat. Whatever goes wrong becomes its record, never an exception of the graph's."""
    config = wiring.settings(runtime, task["run"])
    place = task["ask"]["seat"]
    seat, label = config.panel[place], config.seat_labels[place]
    progress = Progress(runtime, task["run"])
    progress.emit("panelist.started", seat=label, model=seat.model_name, wave=task["wave"])
    gate = gate_of(_gate_key(task, runtime), quorum=config.limits.quorum, grace_seconds=config.limits.grace_seconds)
    before = await earlier(runtime)  # the gate comes first: until all have looked, all of the wave hold it
    for record in before.records:
        if record["answered"]:
            gate.answered(record["seat"])
    kit = await open_kit(config, task, with_exclusions(wiring.panel_tools, config), session_ledger())
    tab = before.tab(kit.ledger, "panelist", 1 / task["seats"])
    book = Notebook(label, time.monotonic() + task["seconds"], progress, tab)
    book.rows += before.unknown_calls("panelist", seat.model_name, label)
    failures: list[Failure] = []
    started, given, name = time.monotonic(), None, seat.model_name
    try:
        async with gate.admit():
            with seat_at_work():
                given, name = await _first_usable(seat, task, kit, book, failures)
    except LateSeat:
        failures.append(_failure(name, Fault("straggler", "late: the panel had closed")))
        given, name = book.kept, book.kept.model if book.kept else name
    if given is not None:
        gate.answered(label)
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
        found=book.found,
        tool_calls=book.tool_calls,
        dropped=book.dropped,
        seconds=round(time.monotonic() - started, 3),
        failures=failures,
        calls=[row.model_dump() for row in book.rows],
        spent=list(tab.spent),
    )
    event = ending(record)
    progress.emit(event.pop("type"), **event)
    return {"records": [record]}


async def _first_usable(
    seat: Panelist, task: SeatTask, kit: Kit, book: Notebook, failures: list[Failure]
) -> tuple[Answer | None, str]:
    """The first full answer of the seat's models; where no model gives one, what was kept: cut off, or unread."""
    question, context = _asked(task)
    until, models = book.deadline, (seat.model, *seat.fallbacks)
    for tried, one in enumerate(health.order(fallback_of(seat, model) for model in models)):
        book.deadline = fair_part(until, len(models) - tried)
        try:
            given = await answer(one, question, context, kit=kit, book=book)
        except Exception as error:  # noqa: BLE001 - no seat may end the run, whatever its model or tools raise
            failed = error if isinstance(error, CallFailed) else CallFailed(fault_of(error))
            failures.append(_failure(failed.model or one.model_name, failed.fault))
            continue
        if given.unread:
            failures.append(_failure(given.model, Fault("empty", "it did not look, and no evidence was found for it")))
        if not given.truncated:
            return given, given.model
        failures.append(_failure(given.model, Fault("truncated", "cut off at its token limit")))
        book.keep(given)
    return (book.kept, book.kept.model) if book.kept else (None, seat.model_name)


def _asked(task: SeatTask) -> tuple[str, str]:
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
