"""`synthesize`: write one answer from the panel's answers and their comparison, whoever can still write it."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace

from langgraph.runtime import Runtime

from fusion_tool.config.schema import FusionConfig, Panelist
from fusion_tool.graph.agents.answers import briefing
from fusion_tool.graph.agents.synthesizer import Deltas, Task, Written, write
from fusion_tool.graph.limits import deadline, fair_part, ledger_after, limits_reached, seconds_worked, spent_so_far
from fusion_tool.graph.resume import Earlier, earlier
from fusion_tool.graph.runtime import Progress, Wiring
from fusion_tool.graph.state import FusionState, SeatRecord, StageRecord, own_records, record_key
from fusion_tool.models import health
from fusion_tool.models.faults import scrub
from fusion_tool.models.providers import fallback_of

_log = logging.getLogger(__name__)


async def synthesize(state: FusionState, runtime: Runtime[FusionConfig], *, wiring: Wiring) -> FusionState:
    """The answer's raw text: by the synthesizer, its fallbacks, the judge's model, else the best panel answer."""
    config, started = wiring.settings(runtime, state["run"]), time.monotonic()
    before = await earlier(runtime)
    task = _task(state, config, Progress(runtime, state["run"]), before)
    degraded: list[str] = []
    standing = state["agreed"]
    if standing and not (state["run"]["answer_schema"] or state["run"]["instructions"]):
        written = _standing_answer(task, standing)
    else:
        task.rows.extend(before.unknown_calls("synthesizer", config.synthesizer_or_default.model_name))
        written, degraded = await _first_written(
            task, list(_candidates(config)), 1 + len(config.synthesizer_or_default.fallbacks)
        )
    return {
        "synthesis": StageRecord(
            output=written.text,
            calls=[row.model_dump() for row in task.rows],
            spent=list(task.tab.spent),
            seconds=round(time.monotonic() - started, 3),
            degraded=[*degraded, *(["answers_packed"] if written.packed else [])],
        )
    }


def _task(state: FusionState, config: FusionConfig, progress: Progress, before: Earlier) -> Task:
    records, judgement = own_records(state), state["judgement"]
    return Task(
        run=state["run"],
        analysis=judgement["output"] if judgement else None,
        brief=briefing(state),
        deadline=deadline(config, "synthesizer", seconds_worked(records, judgement)),
        tab=before.tab(ledger_after(config, spent_so_far(records, judgement)), "synthesizer"),
        progress=progress,
    )


async def _first_written(task: Task, candidates: list[Panelist], configured: int) -> tuple[Written, list[str]]:
    """The first whole answer; failing that a cut-off one, failing that the best of the panel's; and what was lost."""
    kept: Written | None = None
    for attempt, one in enumerate(health.order(candidates), start=1):
        # The judge's model, last and unasked for, gets what time is left.
        left = max(1, configured - attempt + 1)
        try:
            written = await write(replace(task, deadline=fair_part(task.deadline, left)), one, attempt)
        except Exception as error:  # noqa: BLE001 - the panel's answers are paid for; no synthesizer may lose them
            _log.warning("the synthesizer %s gave no answer: %s", one.model_name, scrub(str(error)))
            continue
        if not written.truncated:
            return written, []
        kept = kept or written
    lost = ["synthesis_unavailable", *limits_reached(task.tab, task.deadline)]
    if kept is None:
        return _best_panel_answer(task, attempt=len(candidates) + 1), lost
    Deltas(task, len(candidates) + 1).whole(kept.text)
    return kept, lost


def _best_panel_answer(task: Task, attempt: int) -> Written:
    return _handed_on(task, max(task.brief.records, key=lambda record: _standing(task, record)), attempt)


def _standing_answer(task: Task, key: str) -> Written:
    return _handed_on(task, next(record for record in task.brief.records if record_key(record) == key), attempt=1)


def _handed_on(task: Task, record: SeatRecord, attempt: int) -> Written:
    Deltas(task, attempt).whole(record["content"])
    return Written(record["content"])


def _candidates(config: FusionConfig) -> Iterator[Panelist]:
    """Who may write, in order; the judge's model last, since it has read the answers."""
    seen = set()
    writer, judge = config.synthesizer_or_default, config.judge_or_default
    for owner, name in ((writer, writer.model), *((writer, name) for name in writer.fallbacks), (judge, judge.model)):
        one = fallback_of(owner, name)
        if one.model_name not in seen:
            seen.add(one.model_name)
            yield one


def _standing(task: Task, record: SeatRecord) -> tuple[int, int]:
    """How well an answer's own citations hold, then its length: the best-supported answer stands in."""
    counts = task.brief.audit_of(record)
    return counts["supported"] - counts["mismatch"] - counts["unknown"], len(record["content"])
