"""`synthesize`: write one answer from the panel's answers and their comparison, whoever can still write it."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

from langgraph.runtime import Runtime

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import panel_answers
from fusion_tool.graph.agents.synthesizer import DeltaEmitter, Draft, SynthesisTask, write_answer
from fusion_tool.graph.limits import (
    elapsed_work,
    limit_marks,
    run_ledger,
    share_of_deadline,
    spent_so_far,
    stage_deadline,
)
from fusion_tool.graph.resume import PriorAttempts, prior_attempts
from fusion_tool.graph.runtime import EventEmitter, GraphOptions
from fusion_tool.graph.state import FusionState, SeatRecord, StageRecord, answer_key, records_of_run
from fusion_tool.models import health
from fusion_tool.models.faults import scrub
from fusion_tool.models.providers import with_model

_log = logging.getLogger(__name__)


async def synthesize(state: FusionState, runtime: Runtime[FusionConfig], *, options: GraphOptions) -> FusionState:
    """The answer's raw text: by the synthesizer, its fallbacks, the judge's model, else the best panel answer."""
    config, started = options.config_for(runtime, state["run"]), time.monotonic()
    before = await prior_attempts(runtime)
    task = _task(state, config, EventEmitter(runtime, state["run"]), before)
    degraded: list[str] = []
    standing = state["agreed"]
    if standing and not (state["run"]["answer_schema"] or state["run"]["instructions"]):
        written = _draft_of_answer(task, standing)
    else:
        task.rows.extend(before.unknown_calls("synthesizer", config.synthesizer_or_default.model_name))
        written, degraded = await _first_draft(
            task, list(_candidates(config)), 1 + len(config.synthesizer_or_default.fallbacks)
        )
    return {
        "synthesis": StageRecord(
            output=written.text,
            calls=[row.model_dump() for row in task.rows],
            spent=list(task.budget.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=[*degraded, *(["answers_packed"] if written.answers_truncated else [])],
        )
    }


def _task(state: FusionState, config: FusionConfig, events: EventEmitter, before: PriorAttempts) -> SynthesisTask:
    records, judgement = records_of_run(state), state["judgement"]
    return SynthesisTask(
        run=state["run"],
        analysis=judgement["output"] if judgement else None,
        answers=panel_answers(state),
        deadline=stage_deadline(config, "synthesizer", elapsed_work(records, judgement)),
        budget=before.stage_budget(run_ledger(config, spent_so_far(records, judgement)), "synthesizer"),
        events=events,
    )


async def _first_draft(task: SynthesisTask, candidates: list[Panelist], configured: int) -> tuple[Draft, list[str]]:
    """The first whole answer; failing that a cut-off one, failing that the best of the panel's; and what was lost."""
    kept: Draft | None = None
    for attempt, panelist in enumerate(health.by_availability(candidates), start=1):
        # The judge's model, last and unasked for, gets what time is left.
        left = max(1, configured - attempt + 1)
        try:
            written = await write_answer(
                replace(task, deadline=share_of_deadline(task.deadline, left)), panelist, attempt
            )
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no synthesizer may lose them
            _log.warning("the synthesizer %s gave no answer: %s", panelist.model_name, scrub(str(error)))
            continue
        if not written.truncated:
            return written, []
        kept = kept or written
    lost = ["synthesis_unavailable", *limit_marks(task.budget, task.deadline)]
    if kept is None:
        return _best_panel_answer(task, attempt=len(candidates) + 1), lost
    DeltaEmitter(task, len(candidates) + 1).finish(kept.text)
    return kept, lost


def _best_panel_answer(task: SynthesisTask, attempt: int) -> Draft:
    return _draft_from_record(task, max(task.answers.records, key=lambda record: _support_rank(task, record)), attempt)


def _draft_of_answer(task: SynthesisTask, key: str) -> Draft:
    return _draft_from_record(
        task, next(record for record in task.answers.records if answer_key(record) == key), attempt=1
    )


def _draft_from_record(task: SynthesisTask, record: SeatRecord, attempt: int) -> Draft:
    DeltaEmitter(task, attempt).finish(record["content"])
    return Draft(record["content"])


def _candidates(config: FusionConfig) -> Iterator[Panelist]:
    """Who may write, in order; the judge's model last, since it has read the answers."""
    seen = set()
    writer, judge = config.synthesizer_or_default, config.judge_or_default
    for owner, name in ((writer, writer.model), *((writer, name) for name in writer.fallbacks), (judge, judge.model)):
        candidate = with_model(owner, name)
        if candidate.model_name not in seen:
            seen.add(candidate.model_name)
            yield candidate


def _support_rank(task: SynthesisTask, record: SeatRecord) -> tuple[int, int]:
    """How well an answer's own citations hold, then its length: the best-supported answer stands in."""
    counts = task.answers.audit_of(record)
    return counts["supported"] - counts["mismatch"] - counts["unknown"], len(record["content"])
